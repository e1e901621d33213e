"""The hash of a capture file: read once, and again as soon as anything about the file has changed."""

import os
import time

import pytest

from ml.core.errors import CaptureError
from ml.market.files import file_hash
from ml.storage.commit import sha256_file

LONG_AGO = time.time_ns() - 3_600 * 10**9


@pytest.fixture
def reads(monkeypatch):
    """Paths whose bytes were read; all files count as settled."""
    read = []
    monkeypatch.setattr(file_hash, "SETTLED_NS", -1)
    monkeypatch.setattr(file_hash, "sha256_file", lambda path: read.append(path) or sha256_file(path))
    return read


def test_an_unchanged_file_is_read_once(root, tmp_path, reads):
    """A sensor that ticks each minute does not read the whole archive each minute."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one")
    assert file_hash.content_hash(root, path) == file_hash.content_hash(root, path) == sha256_file(path)
    assert reads == [path]


@pytest.mark.parametrize("replace", [False, True], ids=["in place", "another file"])
def test_a_change_that_keeps_size_and_time_is_seen(root, tmp_path, reads, replace):
    """Modification times can be set back; inode and change time cannot."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    file_hash.content_hash(root, path)
    written = tmp_path / "b.log" if replace else path
    time.sleep(0.02)
    written.write_bytes(b"two")
    os.utime(written, ns=(LONG_AGO, LONG_AGO))
    written.replace(path)
    assert file_hash.content_hash(root, path) == sha256_file(path)
    assert len(reads) == 2


def test_a_file_that_was_just_written_is_not_kept(root, tmp_path):
    """A write in the same tick of the file system's clock would change no time."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one")
    file_hash.content_hash(root, path)
    assert not (root.meta / "captures" / "content").exists()


def test_no_file_is_named(root, tmp_path):
    """What, and what to do."""
    with pytest.raises(CaptureError, match="nowhere"):
        file_hash.content_hash(root, tmp_path / "nowhere")
