"""Frames as columns: of lines, of single frames, of tables, and back."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.market.bulk.frames import SHAPES, of_frames, of_lines, of_table, payloads, tried_on
from ml.market.decode.events import RawFrame
from ml.market.files.captures import _collected
from tests.support.examples import examples

FRAME = st.builds(
    RawFrame, st.integers(0, 2**62), st.sampled_from(["", "a", "b x"]), st.integers(0, 2**62), st.binary(max_size=9)
)
STAMP = st.one_of(
    st.integers(0, 10**20).map(lambda n: b"%d" % n), st.sampled_from([b"007", b"", b"1" * 19, b"9" * 19, b"-1"])
)
LINE = st.tuples(STAMP, st.sampled_from([b" ", b" ", b"  ", b""]), st.sampled_from([b"{}", b"x y", b"", b"a\r\r"]))


def single(frames):
    return [frames.frame(k) for k in range(len(frames.start))]


@settings(deadline=None)
@given(st.lists(FRAME, min_size=1, max_size=9))
def test_single_frames_there_and_back(given_):
    """Bytes, connections and stamps as they were."""
    assert single(of_frames(given_)) == given_


@settings(deadline=None)
@given(st.lists(FRAME, min_size=1, max_size=9), st.integers(0, 3))
def test_tables_there_and_back(given_, first):
    """A slice of a stored table; its payloads as a column are the table's."""
    given_ = given_ * 2
    table = pl.DataFrame(
        [(frame.conn, frame.recv_ts, frame.payload) for frame in given_],
        schema={"conn": pl.String, "recv_ts": pl.Int64, "payload": pl.Binary},
        orient="row",
    )
    part = table.slice(first)
    frames = of_table(part)
    assert [f._replace(offset=0) for f in single(frames)] == [f._replace(offset=0) for f in given_[first:]]
    assert payloads(frames).equals(part["payload"])


@settings(max_examples=examples(75, 300), deadline=None)
@given(st.lists(LINE, min_size=1, max_size=5), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_stamped_lines_as_they_are_read_one_by_one(lines, line_end, last):
    """The same frames, or none where one of the lines is odd."""
    piece = line_end.join(map(b"".join, lines)) + (b"\n" if last else b"")
    slow = list(_collected([(7, piece)], {})) if piece else []
    fast = of_lines(7, piece, stamped=True) if piece else None
    if fast is not None:
        assert single(fast) == slow
    elif piece:
        odd = [item for item in slow if not isinstance(item, RawFrame) or len(str(item.recv_ts)) > 18]
        assert odd or any(len(line.split(b" ")[0]) >= 19 for line in piece.splitlines())


def test_lines_that_are_frames_as_they_are():
    """Without a stamp the receive time is not known."""
    frames = of_lines(5, b'{"a":1}\r\n{}\n', stamped=False)
    assert single(frames) == [RawFrame(5, "", 0, b'{"a":1}'), RawFrame(14, "", 0, b"{}")]


def test_shapes_are_tried_by_connection():
    """By venue, by an address of Bybit's, else all that Binance writes; none for a venue without shapes."""
    found = tried_on(["binance-spot x", "wss://x/linear", "", "wss://y", "okx-swap x", "deribit"])
    venues = [{SHAPES[k].venue for k in range(first, behind)} for first, behind in found.tolist()]
    binance = {"binance-usdm", "binance-spot", "binance-coinm", "sim"}
    assert venues == [{"binance-spot"}, {"bybit-linear"}, binance, binance, {"okx-swap"}, set()]
