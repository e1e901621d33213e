"""Rows of archives grouped into messages."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import FrameError
from ml.market.decode.events import RawFrame
from ml.market.files.archives.messages import Messages
from ml.market.files.archives.table import BOOK, TRADE
from ml.market.files.archives.tardis import Incremental
from tests.unit.market.files.archives.test_table import One


class Grouped(One):
    """Rows of one time are a message."""

    id = "grouped"
    kind = BOOK
    grouped = True

    def message(self, row):
        return row["t"]


def made(form, tmp_path, *lines, header="t,x", torn=None):
    """Frames and refused lines of a file of these rows."""
    given = []
    offset = 0
    for line in lines:
        given.append((offset, line))
        offset += len(line)
    return list(Messages(tmp_path / "f.csv", form, header).frames(given + ([(offset, b"", torn)] if torn else [])))


def test_rows_of_a_message_stand_in_it_as_they_stood(tmp_path):
    """With the offset of the first and the time of the latest; a last line without end counts too."""
    first, second = made(Grouped(), tmp_path, b"1,a\r\n", b"1,b\n", b"\n", b"2,c")
    assert orjson.loads(first.payload) == {
        "archive": "grouped",
        "symbol": "S",
        "columns": "t,x",
        "rows": ["1,a", "1,b"],
    }
    assert (first.offset, first.conn, first.recv_ts, second.offset) == (0, "sim f.csv", 1, 10)


def test_a_row_that_is_a_message_is_quarantined_alone(tmp_path):
    """The others are read."""
    items = made(One(), tmp_path, b"1,a\n", b"soon,b\n", b"3,\xff\n")
    (offset, line, error), before, after = sorted(items, key=lambda item: isinstance(item, RawFrame))
    assert isinstance(before, RawFrame)
    assert isinstance(after, RawFrame)
    assert (offset, line, error.reason) == (4, b"soon,b\n", "bad_frame")


def test_a_row_inside_a_message_spoils_it(tmp_path):
    """It stays in its place, and the message says that it was not read."""
    first, second = made(Grouped(), tmp_path, b"1,a\n", b"soon,b\n", b"1,c\n", b"2,d\n")
    doc = orjson.loads(first.payload)
    assert (doc["rows"], len(orjson.loads(second.payload)["rows"])) == (["1,a", "soon,b", "1,c"], 1)
    with pytest.raises(FrameError, match=r"bad_frame: a field is malformed: .*soon"):
        Grouped().rows(doc)


def test_a_row_beside_other_trades_is_no_fault_of_theirs(tmp_path):
    """It is quarantined alone."""

    class Trades(Grouped):
        kind = TRADE

    first, second, (offset, line, _) = sorted(
        made(Trades(), tmp_path, b"1,a\n", b"soon,b\n", b"1,c\n", b"2,d\n"),
        key=lambda item: not isinstance(item, RawFrame),
    )
    assert (orjson.loads(first.payload)["rows"], orjson.loads(second.payload)["rows"]) == (["1,a", "1,c"], ["2,d"])
    assert (offset, line) == (4, b"soon,b\n")


@pytest.mark.parametrize("lost", [BOOK, TRADE])
def test_a_torn_file_ends_with_a_note_of_the_loss(tmp_path, lost):
    """Frames without ids would hide it; trades that are lost leave a book as it is."""
    torn = FrameError("truncated", "torn")
    form = Grouped()
    form.kind = lost
    whole, loss, (offset, _, error) = made(form, tmp_path, b"1,a\n", torn=torn)
    expected = {"loss": "bad_frame", "symbol": "S", "books": lost == BOOK, "trades": lost == TRADE}
    assert orjson.loads(loss.payload) == expected
    assert (loss.conn, loss.recv_ts, offset, error) == (whole.conn, 1, 4, torn)


def test_without_header_the_columns_are_the_documented(tmp_path):
    """As many as the row has."""
    (frame,) = made(One(), tmp_path, b"1,a,b\n", header=None)
    assert list(One().rows(orjson.loads(frame.payload))) == [{"t": "1", "x": "a", "y": "b"}]


class EachRowRead(Incremental):
    """The same format without the short cut: every row is read."""

    def leading(self, names):
        return 0


CELLS = st.sampled_from(["binance", "bybit", "nowhere", "", '"', "1585699200000000", "1585699200000001", "true", "no"])
HEAD = st.sampled_from(
    [f"binance-futures,X,{stamp},{stamp},false" for stamp in range(1585699200000000, 1585699200000003)]
)
ROWS = st.one_of(
    st.tuples(HEAD, st.sampled_from(["bid", "ask", "?"]), st.just("1"), st.just("2")),
    st.tuples(HEAD, st.sampled_from(['"bid"', "bid\r", "bid,1", "\xff", ""]), st.just("1"), st.just("2")),
    st.lists(CELLS, min_size=6, max_size=9),
)


@given(st.lists(ROWS, max_size=30))
def test_rows_that_begin_alike_make_the_same_messages_as_rows_read_one_by_one(rows):
    """Odd rows and rows with other counts of cells among them."""
    header = ",".join(Incremental.columns)
    lines = [(k, ",".join(row).encode("latin-1") + b"\n") for k, row in enumerate(rows)]
    fast, slow = (
        [str(item) for item in Messages(Path("x.csv"), form, header).frames(lines)]
        for form in (Incremental(), EachRowRead())
    )
    assert fast == slow
