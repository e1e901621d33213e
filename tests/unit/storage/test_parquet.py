"""How columns are written: every value back, the same bytes each time, checksums on each page; tables in parts."""

import io

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import StoreError
from ml.storage import parquet
from ml.storage.parquet import Parts, Stored

I64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.tuples(I64, st.none() | I64, st.none() | I64, st.none() | st.binary(max_size=9), st.none() | st.text())
)
SCHEMA = {"price": pl.Int64, "recv_ts": pl.Int64, "size": pl.Int64, "payload": pl.Binary, "reason": pl.String}
FRAME = pl.DataFrame([(k % 7, k, k % 5, b"x", "r") for k in range(1_000)], schema=SCHEMA, orient="row")


def written(*parts):
    sink = io.BytesIO()
    parquet.write(Parts(parts[0].schema, parts), sink)
    return sink.getvalue()


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(parquet, "RAW_GROUP", 100)


@pytest.fixture
def path(tmp_path, small_groups):
    """A stored table of ten groups."""
    (tmp_path / "t.parquet").write_bytes(written(FRAME))
    return tmp_path / "t.parquet"


@given(ROWS)
def test_any_frame_comes_back_and_has_one_writing(rows):
    """Whatever the encodings do, they lose nothing and depend on nothing else."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    content = written(frame)
    assert pl.read_parquet(io.BytesIO(content)).equals(frame)
    assert written(pl.concat([frame[:1], frame[1:]], rechunk=False)) == content
    assert written(frame[:1], frame[1:3], frame[3:]) == content


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("rows", [1, 33, 100, 101, 999, 5_000])
def test_parts_of_any_size_are_groups_of_one_size(rows):
    """So no more than a group and a part need be held, and the bytes are the whole table's."""
    content = written(*FRAME.iter_slices(rows))
    assert content == written(FRAME)
    metadata = pq.ParquetFile(io.BytesIO(content)).metadata
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [100] * 10


def test_an_empty_table_in_no_part_at_all_is_one_without_rows():
    """Its columns are known from the schema."""
    sink = io.BytesIO()
    parquet.write(Parts(FRAME.schema, []), sink)
    assert sink.getvalue() == written(FRAME.clear())
    assert pl.read_parquet(io.BytesIO(sink.getvalue())).equals(FRAME.clear())


def test_encodings_are_by_column():
    """Prices are split, rising numbers are differences, raw bytes have no dictionary: that makes the files small."""
    group = pq.ParquetFile(io.BytesIO(written(FRAME))).metadata.row_group(0)
    encodings = {group.column(k).path_in_schema: group.column(k).encodings for k in range(group.num_columns)}
    assert "BYTE_STREAM_SPLIT" in encodings["price"]
    assert "DELTA_BINARY_PACKED" in encodings["recv_ts"]
    assert [name for name, used in encodings.items() if "RLE_DICTIONARY" in used] == ["size", "reason"]


def test_a_stored_table_is_read_in_parts(path):
    """Group by group, of all columns or of some, repeatedly."""
    stored = Stored(path)
    assert (stored.schema, stored.groups) == (FRAME.schema, 10)
    assert [part.height for part in stored.parts()] == [100] * 10
    assert pl.concat(stored.parts()).equals(FRAME)
    assert pl.concat(stored.parts("reason", "size")).equals(FRAME.select("reason", "size"))
    assert stored.group(3).equals(FRAME[300:400])


def test_a_stored_table_stays_what_it_was_opened_as(path):
    """Another file in its place changes nothing for who has begun to read."""
    stored = Stored(path)
    (path.parent / "new").write_bytes(written(FRAME[:200]))
    (path.parent / "new").replace(path)
    assert pl.concat(stored.parts()).equals(FRAME)
    assert pl.concat(Stored(path).parts()).equals(FRAME[:200])


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_damage_is_named(path, damage):
    """By the path, and with what to do."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:-9])
    if damage == "missing":
        path.unlink()
    with pytest.raises(StoreError, match=r"t\.parquet"):
        parquet.content_of(path)


def test_the_content_is_told_by_what_is_read_back(path):
    """Rows, first and last time, and a hash of each group that any other value changes."""
    content = parquet.content_of(path)
    assert content == parquet.write(Parts(FRAME.schema, FRAME.iter_slices(17)), io.BytesIO())
    assert (content.schema, content.rows, content.min_ts, content.max_ts) == (FRAME.schema, 1_000, 0, 999)
    other = FRAME.with_columns(size=pl.when(pl.col("recv_ts") == 550).then(None).otherwise("size"))
    changed = parquet.write(Parts(FRAME.schema, [other]), io.BytesIO())
    assert [a == b for a, b in zip(content.hashes, changed.hashes, strict=True)] == [k != 5 for k in range(10)]


def test_groups_without_a_text_are_passed_over(tmp_path, small_groups):
    """Known by the file's own statistics: of a text between those of a group nothing is known, and it is read."""
    kinds = ["ws"] * 100 + ["loss"] + ["ws"] * 99 + ["checkpoint"] + ["ws"] * 99 + ["snapshot"] * 100 + [None] * 100
    frame = pl.DataFrame({"kind": kinds, "payload": [b"x"] * 500, "row": range(500)})
    (tmp_path / "t.parquet").write_bytes(written(frame))
    found = list(Stored(tmp_path / "t.parquet").parts_that_may_hold("kind", "loss"))
    assert [part["row"][0] for part in found if part["kind"].null_count() == 0] == [100, 200]
