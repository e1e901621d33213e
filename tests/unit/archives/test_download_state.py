"""What has come of a file, and what of it can be trusted."""

import json

import pytest

from ml.archives import download_state
from ml.archives.download_state import DownloadState, Part


@pytest.fixture
def part(tmp_path, monkeypatch):
    monkeypatch.setattr(download_state, "SYNC_BYTES", 4)
    return Part(tmp_path / "incoming" / "x.part")


def breaking(*chunks):
    yield from chunks
    raise ConnectionError


def test_what_comes_is_appended_and_vouched_for(part):
    """Version and length stand in the note."""
    part.receive([b"abc", b"def"], "v")
    assert (part.path.read_bytes(), part.read()) == (b"abcdef", DownloadState("v", 6))
    part.receive([b"g"], "v")
    assert (part.path.read_bytes(), part.read()) == (b"abcdefg", DownloadState("v", 7))


def test_what_came_before_a_break_is_kept(part):
    """The error goes on to whoever asked."""
    with pytest.raises(ConnectionError):
        part.receive(breaking(b"abc"), "v")
    assert part.read() == DownloadState("v", 3)


def test_a_kill_costs_what_was_not_synced(part):
    """While chunks come, the note follows every few bytes."""
    seen = []

    def chunks():
        for _ in range(4):
            yield b"abc"
            seen.append(part.read().synced)

    part.receive(chunks(), "v")
    assert seen == [0, 6, 6, 12]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda part: part.path.write_bytes(b"a"),
        lambda part: part._note.write_text("{"),
        lambda part: part._note.write_text(json.dumps({"version": "v", "synced": "many"})),
        lambda part: part._note.write_text("[]"),
        lambda part: part._note.unlink(),
        lambda part: part.path.unlink(),
    ],
    ids=["shorter than its note", "torn note", "no count", "other note", "no note", "no part"],
)
def test_what_cannot_be_trusted_counts_as_nothing(part, spoil):
    """And is written over from its start."""
    part.receive([b"abc"], "v")
    spoil(part)
    assert part.read() == DownloadState()
    part.receive([b"new"], "w")
    assert (part.path.read_bytes(), part.read()) == (b"new", DownloadState("w", 3))


def test_bytes_behind_the_note_are_not_kept(part):
    """After a power cut they may be anything."""
    part.receive([b"abc"], "v")
    part.path.write_bytes(b"abcjunkjunk")
    part.receive([b"d"], "v")
    assert part.path.read_bytes() == b"abcd"


def test_what_is_forgotten_leaves_nothing(part):
    """Neither part nor note; forgetting twice is no error."""
    part.receive([b"abc"], "v")
    part.forget()
    part.forget()
    assert list(part.path.parent.iterdir()) == []
