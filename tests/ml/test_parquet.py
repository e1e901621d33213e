"""How columns are written: every value back, the same bytes each time, checksums on each page."""

import io

import polars as pl
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from ml import parquet

I64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(st.tuples(I64, st.none() | I64, st.none() | st.binary(max_size=9), st.none() | st.text(max_size=9)))
SCHEMA = {"price": pl.Int64, "size": pl.Int64, "payload": pl.Binary, "reason": pl.String}


def written(frame):
    sink = io.BytesIO()
    parquet.write(frame, sink)
    return sink.getvalue()


@given(ROWS)
def test_any_frame_comes_back_and_has_one_writing(rows):
    """Whatever the encodings do, they lose nothing and depend on nothing else."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    content = written(frame)
    assert pl.read_parquet(io.BytesIO(content)).equals(frame)
    assert written(pl.concat([frame[:1], frame[1:]], rechunk=False)) == content


def test_prices_are_split_and_raw_bytes_have_no_dictionary():
    """Which encoding a column has is what makes the files small."""
    frame = pl.DataFrame([(k % 7, k % 5, b"x", "r") for k in range(1_000)], schema=SCHEMA, orient="row")
    group = pq.ParquetFile(io.BytesIO(written(frame))).metadata.row_group(0)
    encodings = {group.column(k).path_in_schema: group.column(k).encodings for k in range(group.num_columns)}
    assert "BYTE_STREAM_SPLIT" in encodings["price"]
    assert [name for name, used in encodings.items() if "RLE_DICTIONARY" in used] == ["size", "reason"]
