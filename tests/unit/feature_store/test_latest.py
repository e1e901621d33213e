"""The online store: a reader sees a whole row or none, whatever happens to its writer, and how old it is."""

import json
import subprocess
import sys
from time import monotonic, time_ns

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import DatasetError, StoreError
from ml.core.paths import DataRoot
from ml.feature_store.latest import NewestWriter, newest, published
from ml.tables.schemas import NullReason
from tests.conftest import PROJECT

COLUMNS = [f"f_{k}" for k in range(110)]
FAMILIES = ["book", "flow"]
ID = "sim.PAIR"
SET = ("base_110", "0123456789abcdef")
WRITER = """
import sys
from pathlib import Path
import numpy as np
from ml.feature_store.latest import NewestWriter
from ml.core.paths import DataRoot

columns = [f"f_{k}" for k in range(110)]
writer = NewestWriter(DataRoot(Path(sys.argv[1])), "sim.PAIR", ("base_110", "0" * 16), columns, ["book", "flow"])
print("ready", flush=True)
k = 0
while True:
    k += 1
    writer.put(k, k, np.full(110, float(k)), np.full(2, k % 10, np.uint8))
"""


def writer(folder):
    return NewestWriter(DataRoot(folder), ID, SET, COLUMNS, FAMILIES)


def test_a_row_is_read_as_it_was_written(tmp_path):
    """Times, values, null where there is none, reasons by name, and which set it is of."""
    values = np.arange(110) / 3.0
    values[7] = np.nan
    before = time_ns()
    writer(tmp_path).put(1_000, 2_000, values, np.array([0, NullReason.WARM_UP], np.uint8))
    row = newest(DataRoot(tmp_path), ID)
    assert (row.instrument, row.feature_set, row.feature_set_hash) == (ID, *SET)
    assert (row.ts, row.recv_ts) == (1_000, 2_000)
    assert before <= row.written_ts <= time_ns()
    assert list(row.values) == COLUMNS
    assert row.values["f_7"] is None
    assert [row.values[name] for name in COLUMNS[8:]] == values[8:].tolist()
    assert row.reasons == {"book": None, "flow": "warm_up"}


@given(
    st.lists(st.floats(allow_infinity=False), min_size=110, max_size=110),
    st.lists(st.sampled_from(NullReason), min_size=2, max_size=2),
)
def test_every_number_comes_back(tmp_path_factory, values, codes):
    """Bit for bit, NaN as null."""
    folder = tmp_path_factory.getbasetemp() / "numbers"
    writer(folder).put(1, 1, np.array(values), np.array(codes, np.uint8))
    row = newest(DataRoot(folder), ID)
    back = np.array([np.nan if value is None else value for value in row.values.values()])
    assert back.tobytes() == np.where(np.isnan(values), np.nan, values).tobytes()
    assert list(row.reasons.values()) == [code.name.lower() if code else None for code in codes]


def read_until(root, seen, enough):
    """Rows that are not of one moment, or older than one that was seen; reads until so many moments were seen."""
    torn = []
    deadline = monotonic() + 60
    while len(seen) < enough and monotonic() < deadline:
        try:
            row = newest(root, ID)
        except (DatasetError, StoreError):
            continue  # nothing was written yet
        parts = {row.ts, row.recv_ts, *row.values.values()}
        if len(parts) > 1 or len(row.values) != 110 or (seen and row.ts < max(seen)):
            torn.append(row)
        seen.add(row.ts)
    return torn


def test_no_reader_sees_a_part_of_a_row(tmp_path):
    """A writer as fast as it can, killed in the middle of it: each row is of one moment, and moments go on."""
    root = DataRoot(tmp_path)
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        ) as process:
            seen = set()
            try:
                assert process.stdout.readline() == "ready\n"
                torn = read_until(root, seen, 200)
            finally:
                process.kill()
        assert (torn, len(seen)) == ([], 200)
        last = newest(root, ID)
        assert {last.ts} == set(last.values.values())
        root.newest(ID).unlink()


def test_an_old_row_is_told_as_old(tmp_path):
    """What a writer that died left stands there; it says how old it is, and can be refused."""
    root = DataRoot(tmp_path)
    now = time_ns()
    writer(tmp_path).put(now - 73 * 10**9, now, np.zeros(110), np.zeros(2, np.uint8))
    assert newest(root, ID).age(now) == 73 * 10**9
    assert newest(root, ID).age() >= 73 * 10**9
    assert newest(root, ID, max_age=80 * 10**9).ts == now - 73 * 10**9
    with pytest.raises(DatasetError, match=r"sim.PAIR: its newest row is 73\.\d s old, not at most 5 s"):
        newest(root, ID, max_age=5 * 10**9)


def test_a_restart_goes_on_with_the_next_row(tmp_path):
    """A new writer leaves the old row until it has one."""
    writer(tmp_path).put(1, 1, np.zeros(110), np.zeros(2, np.uint8))
    again = writer(tmp_path)
    assert newest(DataRoot(tmp_path), ID).ts == 1
    again.put(2, 2, np.zeros(110), np.zeros(2, np.uint8))
    assert newest(DataRoot(tmp_path), ID).ts == 2
    assert published(DataRoot(tmp_path)) == [ID]


def test_who_is_there(tmp_path):
    """By id."""
    root = DataRoot(tmp_path)
    assert published(root) == []
    for name in ("b.X", "a.Y"):
        NewestWriter(root, name, SET, COLUMNS, FAMILIES).put(1, 1, np.zeros(110), np.zeros(2, np.uint8))
    assert published(root) == ["a.Y", "b.X"]
    with pytest.raises(DatasetError, match=r"c.Z has no newest row \(there are rows of: a.Y, b.X\)"):
        newest(root, "c.Z")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x00" * 4_096])
def test_a_damaged_file_is_an_error(tmp_path, content):
    """As after a power cut: which file, and what to do; the next row replaces it."""
    root = DataRoot(tmp_path)
    root.newest(ID).parent.mkdir(parents=True)
    root.newest(ID).write_bytes(content)
    with pytest.raises(StoreError, match=r"features_sim.PAIR.json contains no complete row"):
        newest(root, ID)
    writer(tmp_path).put(1, 1, np.zeros(110), np.zeros(2, np.uint8))
    assert newest(root, ID).ts == 1


def test_any_program_can_read_the_file(tmp_path):
    """It is JSON, in one file per instrument and nothing beside it."""
    writer(tmp_path).put(1_000, 2_000, np.arange(110) / 3.0, np.zeros(2, np.uint8))
    (path,) = DataRoot(tmp_path).newest(ID).parent.iterdir()
    row = json.loads(path.read_text())
    assert (path.name, row["instrument"], row["ts"]) == ("features_sim.PAIR.json", ID, 1_000)
    assert row["values"]["f_7"] == 7 / 3.0
    assert row["reasons"] == {"book": None, "flow": None}


def test_a_row_of_another_width_is_a_mistake(tmp_path):
    """Values must be as many as columns."""
    with pytest.raises(ValueError, match="zip"):
        writer(tmp_path).put(1, 1, np.zeros(109), np.zeros(2, np.uint8))
    with pytest.raises(DatasetError, match="has no newest row"):
        newest(DataRoot(tmp_path), ID)
