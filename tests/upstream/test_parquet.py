"""What we rely on in Polars and pyarrow: the same frame is the same bytes, and a damaged page is seen."""

import io
import os
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

WRITE = """
import hashlib, io, polars as pl, pyarrow.parquet as pq
n = pl.int_range(300_000)
frame = pl.select(ts=n, x=(n * 7919 % 1_000_003) / 3, s=(n % 5).cast(pl.String))
frame = frame.with_columns(x=pl.when(pl.col("ts") % 11 > 0).then("x"), b=pl.col("s").cast(pl.Binary))
sink = io.BytesIO()
pq.write_table(frame.rechunk().to_arrow(), sink, compression="zstd", row_group_size=1 << 17, write_page_checksum=True)
print(hashlib.sha256(sink.getvalue()).hexdigest())
"""


def test_the_same_frame_is_the_same_bytes_in_every_process():
    """With one thread or two, another hash seed: no time, no name of a writer's run, no order of a dictionary."""
    hashes = {
        subprocess.run(
            [sys.executable, "-c", WRITE],
            env=os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(hashes) == 1


def test_chunks_must_be_joined_first():
    """A frame in two pieces is the same frame, and after rechunk the same bytes."""
    whole = pl.DataFrame({"ts": range(1_000), "s": ["a", "b"] * 500})
    pieces = pl.concat([whole[:300], whole[300:]], rechunk=False)

    def written(frame):
        sink = io.BytesIO()
        pq.write_table(frame.rechunk().to_arrow(), sink, compression="zstd", write_page_checksum=True)
        return sink.getvalue()

    assert pieces.n_chunks() == 2
    assert written(pieces) == written(whole)


def test_a_flipped_bit_is_seen_only_when_asked_for():
    """Page checksums are written and verified on request: an unverified read may give wrong numbers in silence."""
    sink = io.BytesIO()
    table = pa.table({"x": list(range(100_000))})
    pq.write_table(table, sink, compression="NONE", use_dictionary=False, write_page_checksum=True)
    data = bytearray(sink.getvalue())
    data[len(data) // 2] ^= 1
    assert not pq.read_table(io.BytesIO(bytes(data))).equals(table)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(io.BytesIO(bytes(data)), page_checksum_verification=True)


def test_a_scan_of_bytes_outlives_its_file(tmp_path):
    """A lazy frame over bytes reads what was there; over a path it reads what is there when it is collected."""
    path = tmp_path / "x.parquet"
    pl.DataFrame({"x": [1]}).write_parquet(path)
    of_bytes = pl.scan_parquet(path.read_bytes())
    of_path = pl.scan_parquet(path)
    pl.DataFrame({"x": [1, 2]}).write_parquet(path)
    assert of_bytes.collect().height == 1
    assert of_path.collect().height == 2


def test_a_join_asks_for_one_row_each():
    """`validate="1:1"` refuses a doubled key instead of multiplying rows."""
    once = pl.DataFrame({"ts": [1, 2]})
    twice = pl.DataFrame({"ts": [1, 1]})
    with pytest.raises(pl.exceptions.ComputeError, match="1:1"):
        once.join(twice, on="ts", how="full", coalesce=True, validate="1:1")
