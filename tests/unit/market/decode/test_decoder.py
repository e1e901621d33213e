"""Frames into events: clocks, repeats, off-market trades, gaps."""

import pytest

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.decoder import Decoder
from ml.market.decode.events import BUY, CLEAR, LATE, LOST_TRADES, SELL, SNAPSHOT, TIME
from tests.support.scenario import USDM, diff, snapshot, trade

BTC = Instrument(USDM, 1, 3, 1, 1)
T = 1_741_000_000_000


def decode(*docs, step_ms=10):
    decoder = Decoder(BTC)
    return decoder, [event for k, doc in enumerate(docs) for event in decoder.offer(doc, (T + k * step_ms) * 10**6)]


def kinds(events):
    return [e.reason if isinstance(e, FrameError) else type(e).__name__ + str(e.flags & ~LATE) for e in events]


def book_breaks(events):
    return [e.broken for e in events if isinstance(e, BookEvent) and e.broken and not e.broken.of_trades]


ANCHORED = (diff(1, 0, T), snapshot(1, T))


def test_the_aggressor_of_a_print_is_the_other_side_of_the_maker():
    """M true: the buyer was the maker, so the seller took."""
    _, events = decode(trade(1, T), trade(2, T, maker=True))
    assert [e.trades[0].side for e in events] == [BUY, SELL]


@pytest.mark.parametrize("fields", [{"kind": "INSURANCE_FUND"}, {"price": "0.0"}, {"size": "0.000"}, {"kind": "NA"}])
def test_off_market_trades_are_counted_and_never_events(fields):
    """They move the clock and nothing else; the count is kept."""
    decoder, events = decode(*ANCHORED, trade(1, T, **fields))
    assert kinds(events)[-2:] == ["off_market", f"BookEvent{TIME}"]
    assert (decoder.tally.off_market_trades, decoder.tally.trades) == (1, 0)


def test_ids_of_trades_say_which_are_missing():
    """Binance counts them by one, those outside the market too; a repeated or late one says nothing."""
    docs = trade(1, T), trade(2, T, kind="INSURANCE_FUND"), trade(3, T), trade(3, T), trade(6, T), trade(5, T)
    _, events = decode(*docs)
    broken = [event.broken for event in events if isinstance(event, TradeEvent)]
    assert [step and (step.from_id, step.to_id, step.reason) for step in broken] == [
        None,
        None,
        (3, 5, "sequence_gap"),
        None,
    ]
    assert list(next(e for e in events if isinstance(e, TradeEvent) and e.broken).trade_flags()) == [LOST_TRADES]


@pytest.mark.parametrize(
    ("note", "lost"),
    [({}, True), ({"books": False}, False), ({"books": False, "trades": True}, True), ({"trades": False}, False)],
)
def test_a_loss_of_the_connection_that_carries_trades_ends_what_is_known_of_them(note, lost):
    """A note says what its connection carries; without a word the trades come with the books."""
    _, events = decode(trade(1, T), {"loss": "reconnect", "symbol": "BTCUSDT"} | note)
    assert kinds(events[1:]) == ([f"BookEvent{TIME | LOST_TRADES}"] if lost else [])


def test_a_repeated_print_counts_once_and_an_unequal_one_is_quarantined():
    """The same trade id with other values is no repeat."""
    decoder, events = decode(trade(1, T), trade(1, T), trade(1, T, size="2.000"))
    assert [isinstance(e, TradeEvent) for e in events] == [True, False, False, False]
    assert [e.reason for e in events if isinstance(e, FrameError)] == ["unequal_repeat"]
    assert (decoder.tally.trades, decoder.tally.repeats) == (1, 1)


def test_a_rest_snapshot_takes_the_time_of_the_books_last_change():
    """Its own stamp may be older or newer than the stream; it never moves the clock."""
    decoder, events = decode(diff(1, 0, T + 500), snapshot(1, T + 90_000))
    assert kinds(events) == [f"BookEvent{TIME}", f"BookEvent{SNAPSHOT | CLEAR}"]
    assert events[-1].message.event_ts == (T + 500) * 10**6 == decoder.clock.watermark


def test_late_events_are_flagged():
    """An event older than the watermark counts in the open sample and says so."""
    _, events = decode(*ANCHORED, diff(2, 1, T + 100), trade(1, T + 50))
    assert events[-1].flags == LATE


@pytest.mark.parametrize(
    ("shift_ms", "reason"), [(-11_000, "clock_back"), (70_000, "clock_ahead"), (10**11, "clock_ahead")]
)
def test_a_time_that_no_delay_explains_is_quarantined(shift_ms, reason):
    """One such time would move the whole grid; the diff is then missing, and the break says why."""
    decoder, events = decode(*ANCHORED, diff(2, 1, T + shift_ms), diff(3, 2, T + 20))
    assert reason in kinds(events)
    (broken,) = [e.broken for e in events if isinstance(e, BookEvent) and e.broken]
    assert (broken.reason, broken.from_id, broken.to_id) == ("clock_back" if shift_ms < 0 else "bad_frame", 1, 2)
    assert decoder.clock.watermark == (T + 20) * 10**6


def test_a_pause_of_the_capture_is_no_clock_error():
    """An hour without frames moves both clocks by an hour."""
    _, events = decode(*ANCHORED, diff(2, 1, T + 3_600_000), step_ms=1_800_000)
    assert not [e for e in events if isinstance(e, FrameError)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"b": [["0.0", "1.000"]]}, "price_zero"),
        ({"b": [["-1.0", "1.000"]]}, "price_zero"),
        ({"a": [["1.0", "-2"]]}, "bad_number"),
        ({"a": [["1.05", "1"]]}, "off_grid"),
        ({"a": [["x", "1"]]}, "bad_number"),
        ({"a": [["1.0"]]}, "bad_frame"),
        ({"a": None}, "bad_frame"),
        ({"u": None}, "bad_frame"),
        ({"T": None}, "bad_frame"),
        ({"T": "soon"}, "bad_frame"),
    ],
)
def test_a_bad_diff_is_quarantined_whole_and_shows_as_a_gap(change, reason):
    """No part of it is applied; the next diff finds the chain broken by a bad frame."""
    bad = diff(2, 1, T + 5)
    bad["data"] |= change
    _, events = decode(*ANCHORED, bad, diff(3, 2, T + 10))
    assert reason in kinds(events)
    (broken,) = [e.broken for e in events if isinstance(e, BookEvent) and e.broken]
    assert broken.reason == ("off_grid" if reason == "off_grid" else "bad_frame")


@pytest.mark.parametrize("end", [3, 50])
def test_when_every_later_diff_is_refused_the_book_is_unknown_from_the_first(end):
    """Nothing that could be read comes after them to show it."""
    finer = [diff(n, n - 1, T + 100 * n, bids=[("99.05", "1.000")]) for n in range(3, end + 1)]
    decoder, events = decode(*ANCHORED, diff(2, 1, T + 100), *finer)
    (broken,) = [e.broken for e in events if isinstance(e, BookEvent) and e.broken]
    assert (broken.reason, broken.from_id, broken.to_id) == ("off_grid", 2, 3)
    assert kinds(events).count("off_grid") == end - 2
    assert decoder.clock.watermark == (T + 100 * end) * 10**6


def test_a_refused_repeat_breaks_nothing():
    """It was applied when it could be read, or lies behind the book."""
    again = diff(2, 1, T + 100, bids=[("99.05", "1.000")])
    _, events = decode(*ANCHORED, diff(2, 1, T + 100), again, diff(3, 2, T + 200))
    assert not [e for e in events if isinstance(e, BookEvent) and e.broken]


@pytest.mark.parametrize("reason", ["reconnect", "silent", "overflow"])
def test_after_a_loss_the_book_is_anchored_again_though_its_ids_follow(reason):
    """No book message is missing, but trades of the same line may be: nothing else would show it."""
    noted = {"loss": reason, "symbol": "BTCUSDT"}
    decoder, events = decode(*ANCHORED, noted, noted, diff(2, 1, T + 10), diff(3, 2, T + 20), snapshot(3, T + 20))
    (broken,) = book_breaks(events)
    assert (broken.reason, broken.from_id, broken.to_id) == (reason, 1, 1)
    assert kinds(events)[-1] == f"BookEvent{SNAPSHOT | CLEAR}"
    assert decoder.offer(diff(4, 3, T + 30), (T + 80) * 10**6)[0].broken is None


def test_a_repeat_tells_nothing_of_a_loss():
    """The break waits for the first message that is new."""
    noted = {"loss": "overflow", "symbol": "BTCUSDT"}
    _, events = decode(*ANCHORED, diff(2, 1, T + 10), noted, diff(2, 1, T + 10), diff(3, 2, T + 20))
    applied = [e for e in events if isinstance(e, BookEvent) and e.flags & LOST_TRADES == 0]
    assert [e.broken is not None for e in applied] == [False] * 4 + [True, False]


@pytest.mark.parametrize("noted", [{"loss": "overflow", "books": False}, {"loss": "bad_frame"}])
def test_a_loss_elsewhere_breaks_no_book_whose_ids_follow(noted):
    """Of a line that carries no books; of a torn archive, which holds nothing beside the books."""
    decoder, events = decode(*ANCHORED, noted | {"symbol": "BTCUSDT"}, diff(2, 1, T + 10))
    assert not book_breaks(events)
    assert decoder.tally.book_messages == 2


def test_every_frame_that_moves_the_clock_leaves_an_event():
    """So the grid that is rebuilt from events is the grid that live sees."""
    decoder, events = decode(diff(5, 4, T), snapshot(9, T), diff(7, 5, T + 300), diff(7, 5, T + 300))
    assert [e.message.event_ts for e in events] == [T * 10**6, (T + 300) * 10**6, (T + 300) * 10**6]
    assert decoder.tally.dropped_before_snapshot == 3
