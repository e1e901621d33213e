"""Lines of capture files, compressed or not, whole or torn."""

import gzip
import json

import pyarrow as pa
import pytest

from ml.core.errors import CaptureError, FrameError
from ml.market.decode.events import RawFrame
from ml.market.files import captures
from tests.support.scenario import capture, diff

DOCS = [diff(2, 1, 1_741_000_000_000), diff(3, 2, 1_741_000_000_100)]


def compressed(path, data, how):
    if how == "gz":
        path.write_bytes(gzip.compress(data))
    elif how == "zst":
        with pa.output_stream(str(path), compression="zstd") as sink:
            sink.write(data)
    else:
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["plain", "gz", "zst"])
def test_compression_is_told_by_the_magic_bytes(tmp_path, how):
    """The same frames with the same offsets, whatever the file is called."""
    data = capture(tmp_path / "plain.log", DOCS).read_bytes()
    frames = list(captures.read(compressed(tmp_path / "x.log", data, how)))
    assert [json.loads(f.payload) for f in frames] == DOCS
    assert [f.offset for f in frames] == [0, data.index(b"\n") + 1]


@pytest.mark.parametrize("unit", [1, 10**3, 10**6])
def test_local_stamps_of_any_unit(tmp_path, unit):
    """Collectors write ns, us or ms."""
    path = tmp_path / "x.log"
    path.write_bytes(b"%d {}\n" % (1_721_347_022_504_000_000 // unit))
    assert next(captures.read(path)).recv_ts == 1_721_347_022_504_000_000


def test_wrapped_lines_name_the_address_of_their_connection(tmp_path):
    """Only the connection tells spot from linear; the collector's own notes are no frames."""
    notes = [
        {"t": "header"},
        {"t": "connect", "conn": "c", "ts": 1.0, "addr": "wss://x/linear"},
        {"t": "recv", "conn": "c", "ts": 1786310819.526357, "data": "{}"},
    ]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(note) + "\n" for note in notes))
    (frame,) = captures.read(path)
    assert isinstance(frame, RawFrame)
    assert (frame.conn, frame.recv_ts, frame.payload) == ("wss://x/linear", 1786310819526357000, b"{}")


def test_a_truncated_gzip_gives_what_it_holds_and_one_error(tmp_path):
    """The frames before the tear count; the tear is on record."""
    data = gzip.compress(b"".join(b"1741000000000 {}%d\n" % k for k in range(20_000)))
    path = tmp_path / "x.gz"
    path.write_bytes(data[: len(data) // 2])
    items = list(captures.read(path))
    assert all(isinstance(item, RawFrame) for item in items[:-1])
    assert len(items) > 1_000
    offset, _, error = items[-1]
    assert error.reason == "truncated"
    assert offset > items[-2].offset


@pytest.mark.parametrize(
    "line", [b"not a frame\n", b"{}\n", b'{"t": "recv"}\n', b"12x {}\n", b"\xff\xfe\n", b"1741000000000\n"]
)
def test_a_line_that_is_no_frame_is_an_error_with_its_offset(tmp_path, line):
    """Nothing on a line can stop the reading of the next."""
    path = tmp_path / "x.log"
    path.write_bytes(b"1741000000000 {}\n" + line + b"1741000000000 {}\n")
    first, (offset, kept, error), last = captures.read(path)
    assert isinstance(first, RawFrame)
    assert isinstance(last, RawFrame)
    assert isinstance(error, FrameError)
    assert (offset, kept, error.reason) == (17, line, "bad_json")


def test_an_empty_file_is_on_record(tmp_path):
    """An empty file is a fact about the capture, not a crash."""
    path = tmp_path / "x.log"
    path.write_bytes(b"")
    ((_, _, error),) = captures.read(path)
    assert error.reason == "empty"


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_text(""), lambda p: None])
def test_a_directory_without_captures_is_refused(tmp_path, make):
    """A missing folder, a file, or a folder without captures: each says what was expected."""
    make(tmp_path / "x")
    with pytest.raises(CaptureError, match=r"directory|capture file"):
        captures.find(tmp_path / "x")
