"""The event log: the tables that it makes hold everything that a stream did to the book."""

import numpy as np
import polars as pl
from hypothesis import given, settings

from ml.market.book.feed import Feed
from ml.market.book.sampler import Sampler
from ml.market.days.tables import book_stream, trade_stream
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.decoder import Decoder
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import BUY, CHECKPOINT, CLEAR, LAST, LATE, SELL, SNAPSHOT, TIME, BookMessage, Trade
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.support.examples import examples
from tests.unit.market.decode.streams import BTC, STEPS, frames


def logged(stream):
    """The log of a stream's events."""
    decoder = Decoder(BTC)
    log = EventLog()
    for arrival, (doc, recv_ts) in enumerate(stream):
        for event in decoder.offer(doc, recv_ts):
            if isinstance(event, BookEvent):
                log.book(arrival, recv_ts, event)
            elif isinstance(event, TradeEvent):
                log.trades(arrival, recv_ts, event)
    return log


def sampled(books, trades):
    sampler = Sampler()
    sampler.run(books, trades)
    return sampler


@settings(max_examples=examples(40, 150), deadline=None)
@given(STEPS)
def test_the_tables_alone_rebuild_what_live_saw(steps):
    """Frame by frame, as one array, and read back from the two tables: the same samples, bit for bit."""
    stream = frames(steps)
    live = Feed.of(BTC)
    for doc, recv_ts in stream:
        live.offer(doc, recv_ts)
    log = logged(stream)
    for streams in (log.streams(), (book_stream(log.book_frame()), trade_stream(log.trade_frame()))):
        sampler = sampled(*streams)
        np.testing.assert_array_equal(sampler.samples, live.sampler.samples)
        np.testing.assert_array_equal(sampler.spans, live.sampler.spans)
        assert sampler.released == live.sampler.released


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_the_tables_conform(steps):
    """Columns and dtypes are the documented ones, also where a table has no row."""
    log = logged(frames(steps))
    conform(log.book_frame(), SCHEMAS["book_events"], "book_events")
    conform(log.trade_frame(), SCHEMAS["trades"], "trades")


def book(flags, *levels, arrival=0, log=None, ids=(1, 2, 0), send_ts=4):
    """A log with one more message."""
    log = log or EventLog()
    sides, prices, sizes = ([level[i] for level in levels] for i in range(3))
    log.book(arrival, 9, BookEvent(BookMessage(False, 5, send_ts, *ids, sides, prices, sizes), flags))
    return log


def test_a_message_is_as_many_rows_as_levels():
    """Only the first clears the book, only the last ends the message; the other flags stand on all rows."""
    log = book(SNAPSHOT | CLEAR | CHECKPOINT, (1, 99, 2), (1, 98, 1), (-1, 101, 3))
    rows = book(0, (1, 97, 0), arrival=1, log=log).book_frame()
    common = SNAPSHOT | CHECKPOINT
    assert rows["flags"].to_list() == [common | CLEAR, common, common | LAST, LAST]
    assert rows.select("arrival", "side", "price", "size").rows() == [
        (0, 1, 99, 2),
        (0, 1, 98, 1),
        (0, -1, 101, 3),
        (1, 1, 97, 0),
    ]


def test_a_message_without_levels_is_one_row_without_side():
    """A break or a mere tick of the clock is on record too."""
    rows = book(TIME | LATE, log=book(CLEAR), arrival=1).book_frame()
    assert rows["flags"].to_list() == [CLEAR | LAST, TIME | LATE | LAST]
    assert rows.select("side", "price", "size").unique().rows() == [(0, 0, 0)]


def test_what_a_venue_does_not_give_is_null():
    """No id and no send time is not id -1 at 1970."""
    rows = book(0, (1, 99, 2), ids=(-1, -1, -1), send_ts=0).book_frame()
    assert rows.select("send_ts", "first_id", "last_id", "prev_id").rows() == [(None,) * 4]
    assert book(0, (1, 99, 2)).book_frame().select("send_ts", "first_id", "last_id", "prev_id").rows() == [(4, 1, 2, 0)]


def test_the_trades_of_a_frame_keep_their_own_times_and_share_the_latest():
    """The table tells each trade's time; the kernel is given one time a frame, in memory and from the table."""
    log = EventLog()
    trade_rows = [Trade(7, "a", BUY, 100, 2), Trade(5, "b", SELL, 101, 1)]
    log.trades(3, 9, TradeEvent(trade_rows, 7, LATE))
    log.trades(4, 10, TradeEvent([Trade(6, "c", BUY, 100, 1)], 6, 0))
    rows = log.trade_frame()
    assert rows.rows() == [
        (3, 7, 9, "a", BUY, 100, 2, LATE),
        (3, 5, 9, "b", SELL, 101, 1, LATE),
        (4, 6, 10, "c", BUY, 100, 1, 0),
    ]
    for trades in (log.streams()[1], trade_stream(rows)):
        assert (trades.ts.tolist(), trades.arrival.tolist()) == ([7, 7, 6], [3, 3, 4])


def test_an_empty_log_is_two_empty_tables():
    """A day of nothing but trades has no book rows, and reads back as no messages."""
    log = EventLog()
    assert (log.book_frame().height, log.trade_frame().height) == (0, 0)
    assert log.trade_frame().schema["trade_id"] == pl.String
    assert book_stream(log.book_frame()).ts.size == trade_stream(log.trade_frame()).ts.size == 0
