"""The journal: nothing acknowledged is lost, and a torn tail is never read as data."""

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.capture.journal import MAGIC, Journal, Kind, Record, in_use, read, records
from ml.core.errors import CaptureError

FRAMES = st.lists(
    st.builds(Record, st.sampled_from(Kind), st.integers(0, 65_535), st.integers(0, 2**62), st.binary(max_size=300)),
    max_size=20,
)
WRITE = """
import sys
from pathlib import Path
from ml.capture.journal import Journal, Kind
journal = Journal(Path(sys.argv[1]))
for number in range(10**9):
    journal.append(Kind.FRAME, 0, number, b"x" * (number % 700))
    if number % 50 == 0:
        journal.sync()
        print(number, flush=True)
"""


def written(path, frames):
    journal = Journal(path)
    for record in frames:
        journal.append(*record)
    journal.close()


@settings(deadline=None)
@given(FRAMES)
def test_what_is_written_reads_back(tmp_path_factory, frames):
    """Every record, in order, whatever its bytes; the extent covers the file."""
    path = tmp_path_factory.mktemp("j") / "a.journal"
    written(path, frames)
    assert list(records(path)) == frames
    assert read(path)[1].torn == 0
    assert read(path)[1].records == len(frames)


@pytest.mark.promise("A1")
@settings(deadline=None)
@given(FRAMES.filter(len), st.data())
def test_any_cut_gives_an_exact_prefix(tmp_path_factory, frames, data):
    """Cut anywhere, the whole records before the cut are read, and the rest is counted as torn."""
    path = tmp_path_factory.mktemp("j") / "a.journal"
    written(path, frames)
    cut = data.draw(st.integers(len(MAGIC), path.stat().st_size))
    os.truncate(path, cut)
    kept = list(records(path))
    assert kept == frames[: len(kept)]
    found = read(path)[1]
    assert (found.records, found.whole + found.torn) == (len(kept), cut)


@pytest.mark.promise("A1")
@settings(deadline=None)
@given(FRAMES.filter(len), st.data())
def test_a_flipped_bit_ends_the_reading_there(tmp_path_factory, frames, data):
    """No changed record is ever given out as data."""
    path = tmp_path_factory.mktemp("j") / "a.journal"
    written(path, frames)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(len(MAGIC), len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    kept = list(records(path))
    assert kept == frames[: len(kept)]
    assert len(kept) < len(frames)


@pytest.mark.promise("A1")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path):
    """A real SIGKILL at some moment: the records read are an exact prefix that holds every acknowledged one."""
    path = tmp_path / "a.journal"
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
        assert in_use(path)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    numbers = [record.recv_ts for record in records(path)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > acknowledged
    assert not in_use(path)


def test_a_clean_stop_is_told_from_a_death(tmp_path):
    """Only a journal whose last record is END has ended."""
    journal = Journal(tmp_path / "a.journal")
    journal.append(Kind.FRAME, 0, 1, b"{}")
    journal.flush()
    assert not read(journal.path)[1].ended
    journal.end(2)
    assert read(journal.path)[1].ended


@pytest.mark.promise("A10")
def test_a_name_belongs_to_one_writer(tmp_path):
    """A second journal of the same name is refused, and harms the first in nothing."""
    journal = Journal(tmp_path / "a.journal")
    journal.append(Kind.FRAME, 0, time.time_ns(), b"kept")
    with pytest.raises(CaptureError, match="already exists"):
        Journal(journal.path)
    journal.close()
    assert [record.payload for record in records(journal.path)] == [b"kept"]


def test_another_file_is_refused(tmp_path):
    """The message says what to do."""
    (tmp_path / "a.journal").write_bytes(b"something else")
    with pytest.raises(CaptureError, match="Move it away"):
        read(tmp_path / "a.journal")[1]
