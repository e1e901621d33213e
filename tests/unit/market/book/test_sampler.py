"""Driving the kernel: room that grows, a stream that forgets, time that passes without events."""

import numpy as np
import pytest

from ml.core.time import SECOND
from ml.market.book import layout
from ml.market.book.layout import BookStream, TradeStream
from ml.market.book.sampler import Sampler, one_message, trades_of
from ml.market.days.tables import samples_frame
from ml.market.decode.decoded import TradeEvent
from ml.market.decode.events import BUY, CLEAR, SELL, SNAPSHOT, BookMessage, Trade

DEEP = [(1, 1_000 - k, 5) for k in range(25)] + [(-1, 1_001 + k, 5) for k in range(25)]


def stream(*messages):
    """Book messages (time in seconds, flags, levels) as one stream; arrivals count from 0."""
    ts, flags, levels = zip(*messages, strict=True)
    end = np.cumsum([len(one) for one in levels])
    side, price, size = (np.array([level[i] for one in levels for level in one], np.int64) for i in range(3))
    times = np.array(ts, np.int64) * SECOND
    arrival = np.arange(len(ts))
    return BookStream(times, arrival, np.array(flags, np.int64), end, side.astype(np.int8), price, size)


def walk(seconds):
    """A book that changes once a second."""
    changes = [(1_000 + k, 0, [(1, 990, 1 + k % 7)]) for k in range(1, seconds)]
    return stream((1_000, SNAPSHOT | CLEAR, DEEP), *changes)


def test_a_stream_without_end_keeps_the_hour_that_windows_look_back_on():
    """Forgetting drops released rows only, tells how many, and never grows; what is left is the same."""
    books = walk(20_000)
    whole = Sampler()
    live = Sampler(room=2 * layout.TAIL, forget=True)
    whole.run(books)
    live.run(books)
    assert len(live.state.samples) == 2 * layout.TAIL
    assert live.dropped + len(live.samples) == len(whole.samples) == 19_999
    assert live.dropped + live.released == whole.released
    assert live.released >= layout.TAIL
    np.testing.assert_array_equal(live.samples, whole.samples[live.dropped :])


@pytest.mark.parametrize("breaks", [10, 600])
def test_any_number_of_intervals_is_kept(breaks):
    """The room for ended intervals grows; a day may have hundreds."""
    messages = [
        m for k in range(breaks) for m in ((3 * k, SNAPSHOT | CLEAR, DEEP), (3 * k + 1, 0, []), (3 * k + 2, CLEAR, []))
    ]
    sampler = Sampler()
    sampler.run(stream(*messages))
    found = sampler.spans[:, :2] // SECOND
    np.testing.assert_array_equal(found, [(3 * k, 3 * k + 1) for k in range(breaks)])


def test_a_message_of_any_size_is_taken_whole():
    """A snapshot with more levels than there is scratch room for gives the same book as its levels in parts."""
    wide = [(1, 20_000 - k, 1 + k % 3) for k in range(9_000)] + [(-1, 20_001 + k, 1) for k in range(9_000)]
    at_once = Sampler()
    in_parts = Sampler()
    at_once.run(stream((1, SNAPSHOT | CLEAR, wide), (3, 0, [])))
    in_parts.run(stream((1, SNAPSHOT | CLEAR, wide[8_990:9_010]), (1, 0, wide[:4_500]), (1, 0, wide[4_500:])))
    in_parts.advance(3 * SECOND)
    ladder = slice(layout.BID_PRICE, layout.BOOK_COLUMNS)
    np.testing.assert_array_equal(at_once.samples[:, ladder], in_parts.samples[:, ladder])


@pytest.mark.parametrize("room", [1, 5, 100])
def test_time_passes_without_events(room):
    """Each second gets its row, whatever the room; the book stands as it was and grows old."""
    sampler = Sampler(room=room)
    sampler.run(stream((10, SNAPSHOT | CLEAR, DEEP)))
    sampler.advance(40 * SECOND)
    rows = samples_frame(sampler.samples)
    assert rows["ts"].to_list() == [t * SECOND for t in range(11, 41)]
    assert rows["book_age"].to_list() == [t * SECOND for t in range(1, 31)]
    assert rows["bid_price_1"].unique().to_list() == [1_000]
    assert sampler.released == 0


def test_going_back_in_time_closes_nothing():
    """An end that was reached before is reached."""
    sampler = Sampler()
    sampler.run(stream((10, SNAPSHOT | CLEAR, DEEP)))
    sampler.advance(20 * SECOND)
    before = sampler.samples.copy()
    sampler.advance(15 * SECOND)
    np.testing.assert_array_equal(sampler.samples, before)


def test_a_sampler_that_has_seen_nothing_has_no_rows():
    """The grid begins with the first event."""
    sampler = Sampler()
    sampler.advance(10**18)
    assert len(sampler.samples) == sampler.released == len(sampler.spans) == 0


def test_trades_go_before_messages_that_arrived_with_them():
    """On a tie of arrival a trade is applied first, so it may explain the decrease that it caused."""
    books = stream((10, SNAPSHOT | CLEAR, DEEP), (10, 0, [(-1, 1_001, 3)]), (12, 0, []))
    trade_rows = TradeStream(
        np.array([9 * SECOND, 10 * SECOND, 10 * SECOND]),
        np.array([0, 0, 1]),
        np.zeros(3, np.uint8),
        np.array([BUY] * 3, np.int8),
        np.array([1_000, 1_000, 1_001]),
        np.array([1, 1, 2]),
    )
    sampler = Sampler()
    sampler.run(books, trade_rows)
    row = samples_frame(sampler.samples).row(1, named=True)
    assert (row["traded_ask_touch"], row["cancelled_ask_touch"]) == (2, 0)


def test_one_message_and_one_frame_of_trades_as_streams():
    """What the live path gives the kernel, message by message."""
    message = BookMessage(False, 7, 0, 0, 0, 0, [1, -1], [99, 101], [2, 0])
    books = one_message(message, SNAPSHOT, 3)
    assert [a.tolist() for a in books] == [[7], [3], [SNAPSHOT], [2], [1, -1], [99, 101], [2, 0]]
    trade_rows = trades_of(TradeEvent([Trade(5, "a", BUY, 100, 1), Trade(7, "b", SELL, 99, 2)], 7, 0), 3)
    assert [a.tolist() for a in trade_rows] == [[7, 7], [3, 3], [0, 0], [1, -1], [100, 99], [1, 2]]
    assert books.side.dtype == trade_rows.side.dtype == np.int8
