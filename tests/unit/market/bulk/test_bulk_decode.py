"""Frames decoded in intervals give what they give one by one: events, counts, and what is remembered."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.book.checkpoint import pack
from ml.market.bulk import shapes as at
from ml.market.bulk.bulk_decode import watermarks
from ml.market.bulk.frames import of_frames, scanned, tried_on
from ml.market.decode.clock import MAX_AHEAD_NS, MAX_BACK_NS, Clock
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import RawFrame
from ml.market.decode.stream import Stream, arrivals
from tests.support.emulator.market import Change, Market
from tests.support.emulator.protocols import PROTOCOLS
from tests.support.examples import examples
from tests.support.scenario import diff, snapshot, trade
from tests.unit.market.decode.messages import EMULATED, emulated
from tests.unit.market.decode.streams import BTC, STEPS, T, frames


def columns(stream):
    """(document, receive time) pairs as columns, written as the venue writes them."""
    texts = [(json.dumps(doc, separators=(",", ":")).encode(), when) for doc, when in stream]
    return of_frames([RawFrame(k, "", when, payload) for k, (payload, when) in enumerate(texts)])


def decoded(given_, instrument=BTC, compiled=True, parts=1):
    """The stream, its log and what was quarantined; without the compiled path every frame is declined."""
    stream = Stream.of(instrument)
    log = EventLog()
    refused = []
    bounds = np.linspace(0, len(given_.start), parts + 1).astype(int)
    for first, behind in pairwise(bounds):
        part = given_.take(slice(first, behind))
        fields, levels = scanned(part, tried_on([instrument.venue])[0], instrument.decimals)
        if not compiled:
            fields[:, at.KIND] = at.DECLINED
        found = stream.decode(part, arrivals(first, behind - first), log, (fields, levels))
        refused += [(first + k, error.reason, error.detail) for k, error in found]
    return stream, log, refused


def assert_same(given_, instrument=BTC, parts=1):
    """Events, what is quarantined, counts, and every byte of the state."""
    fast = decoded(given_, instrument, parts=parts)
    slow = decoded(given_, instrument, compiled=False)
    assert fast[2] == slow[2]
    assert fast[0].decoder.tally == slow[0].decoder.tally
    assert fast[0].breaks == slow[0].breaks
    for ours, theirs in zip(fast[1].streams(), slow[1].streams(), strict=True):
        for name in ours._fields:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    if len(slow[1].messages["end"]):
        assert_frame_equal(fast[1].book_frame(), slow[1].book_frame())
    assert_frame_equal(fast[1].trade_frame(), slow[1].trade_frame())
    fast[0].decoder.catch_up_books()
    fast[0].decoder.catch_up_trades()
    for attribute in ("recent", "last_id", "pending", "held"):
        assert getattr(fast[0].decoder.continuity, attribute) == getattr(slow[0].decoder.continuity, attribute)
    assert list(fast[0].decoder.recent_trades.items()) == list(slow[0].decoder.recent_trades.items())
    assert (fast[0].decoder.clock, fast[0].decoder.suspect) == (slow[0].decoder.clock, slow[0].decoder.suspect)
    assert pack(fast[0].decoder, fast[0].sampler) == pack(slow[0].decoder, slow[0].sampler)


@settings(max_examples=examples(50, 200), deadline=None)
@given(STEPS, st.integers(1, 4))
def test_any_stream(steps, parts):
    """Gaps, repeats, old snapshots, late and early times, wherever it is cut."""
    assert_same(columns(frames(steps)), parts=parts)


@pytest.mark.parametrize("count", [100, 5_000])
def test_a_long_stream_is_remembered_as_far_as_one_by_one(count):
    """More diffs and trades than are remembered, in several intervals, and then repeats of old ones."""
    docs = [diff(2, 1, T), snapshot(2, T, [("99.0", "1.000")], [("101.0", "1.000")])]
    for k in range(3, count):
        docs.append(diff(k, k - 1, T + k, [("99.0", f"{k}.000")] * (k % 3)))
        docs.append(trade(k, T + k))
    docs += [diff(count - 5, count - 6, T + count), trade(count - 5, T + count), trade(3, T + count)]
    docs.append(snapshot(count - 4, T))
    assert_same(columns([(doc, T * 10**6 + k) for k, doc in enumerate(docs)]), parts=3)


@pytest.fixture
def taken(monkeypatch):
    """The arrivals of the frames that are taken one by one."""
    found = []
    monkeypatch.setattr(
        Stream, "take", lambda self, arrival, *a, own=Stream.take: found.append(arrival) or own(self, arrival, *a)
    )
    return found


def test_most_of_a_plain_stream_is_decoded_in_stretches(taken):
    """Else the intervals would be right and useless."""
    docs = [diff(2, 1, T), snapshot(2, T), *(diff(k, k - 1, T + k) for k in range(3, 300))]
    given_ = columns([(doc, T * 10**6 + k) for k, doc in enumerate(docs)])
    stream, _, _ = decoded(given_)
    assert (taken, stream.decoder.tally.book_messages) == ([0, 1], 298)


@pytest.mark.parametrize("venue", PROTOCOLS)
def test_of_an_emulated_venue_little_but_snapshots_is_taken_one_by_one(venue, taken):
    """And the frames behind them; trades between books do not end an interval, whoever has read them."""
    given_ = list(emulated(venue))
    stream, log, _ = decoded(
        of_frames([RawFrame(k, venue, (T + 60 * k) * 10**6, frame) for k, frame in enumerate(given_)]),
        Instrument(f"{venue}.X", 1, 3, 1, 1),
    )
    assert len(taken) < 10
    assert stream.decoder.tally.trades == len(log.trade_ids) > 50


@pytest.mark.parametrize("name", ["usdm__btcusdt_2024071{}.gz", "usdm__ethusdt_2024071{}.gz"])
def test_recorded_binance_frames(market, name):
    """Both days of both symbols."""
    from ml.market.files import captures

    given_ = [f for day in (8, 9) for f in captures.read(market / "binance_raw" / name.format(day))]
    instrument = Instrument(f"binance-usdm.{name[6:13].upper()}", 2, 3, 1, 1)
    assert_same(of_frames(given_), instrument, parts=5)


@pytest.mark.parametrize("venue", ["linear", "spot"])
def test_recorded_bybit_frames(market, venue):
    """Deltas between trades, tickers and candles that the ordinary parser reads."""
    from ml.market.files import captures

    read = captures.read(market / "bybit_v5_ws" / "BYBIT.jsonl.zst")
    mine = [f for f in read if f.conn.endswith(venue) and b".BTCUSDT" in f.payload[:60]]
    instrument = Instrument(f"bybit-{venue}.BTCUSDT", 2, 6, 1, 1)
    assert_same(of_frames(mine), instrument, parts=2)


@pytest.mark.parametrize("venue", PROTOCOLS)
def test_emulated_frames_of_which_some_are_lost_or_come_again(venue):
    """Each venue's links between ids, trades and restarts; most of them go on."""
    rng = np.random.default_rng(3)
    given_ = list[bytes]()
    for frame in emulated(venue):
        given_ += [frame] * int(rng.choice([0, 1, 2], p=[0.02, 0.96, 0.02]))
    whole = of_frames([RawFrame(k, venue, (T + 60 * k) * 10**6, frame) for k, frame in enumerate(given_)])
    assert_same(whole, Instrument(f"{venue}.X", 1, 3, 1, 1), parts=3)


IDS = {
    "binance-usdm": [(2, 3, 2), (-1, 0, -1), (1, 1, 1)],
    "binance-coinm": [(2, 3, 2), (-1, 0, -1)],
    "binance-spot": [(0, 3, 2), (0, 0, -1), (0, -2, -3)],
    "bybit-linear": [(0, 3, 2), (0, 2, 1)],
    "bybit-spot": [(0, 3, 2)],
    "bybit-inverse": [(0, 3, 2)],
    "okx-swap": [(2, 9, 2), (-1, 9, -1), (1, 9, 1)],
    "okx-spot": [(2, 9, 2), (-4, 9, -4)],
}
"""What a message names as the last id before it and as its first one, and the last id that is then missing; less the
last id that was applied. Where it names no id before it, what is missing ends just before its own first."""


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("venue", "ids"), [(venue, ids) for venue, found in IDS.items() for ids in found])
def test_a_message_that_does_not_follow_exactly_is_a_gap_with_its_bounds(venue, ids, compiled):
    """Neither one that overlaps the message before it nor one that leaves an id out is applied."""
    protocol = PROTOCOLS[venue](venue)
    symbol = EMULATED.get(venue, "BTCUSDT")
    market = Market(symbol, 3, protocol.gap_ids)
    given_ = protocol.opening(market) + [protocol.frames(market, market.step(T + k))[0] for k in range(1, 20)]
    if protocol.rest:
        given_.insert(0, protocol.snapshot(Market(symbol, 3, protocol.gap_ids), T))
    last, (before, first, missing) = market.published, ids
    behind = first if venue.startswith("bybit") else first + 20
    odd = Change(last + before, last + first, last + behind, T + 100, ((1, market.mid - 1, 7),), None)
    given_.append(protocol.frames(market, odd)[0])
    whole = of_frames([RawFrame(k, "", (T + k) * 10**6, frame.encode()) for k, frame in enumerate(given_)])
    stream, _, _ = decoded(whole, Instrument(f"{venue}.{symbol}", 1, 3, 1, 1), compiled=compiled)
    assert stream.decoder.tally.book_messages == len(given_) - 1 - bool(protocol.rest)
    ((arrival, broken),) = stream.breaks.items()
    assert arrival == len(given_) - 1
    assert (broken.reason, broken.from_id, broken.to_id) == ("sequence_gap", last, last + missing)


@settings(max_examples=examples(75, 300), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, -MAX_BACK_NS, -MAX_BACK_NS - 1, MAX_AHEAD_NS, MAX_AHEAD_NS + 1, 10**17]),
            st.sampled_from([0, 1, 10**9, -(10**9), 10**14, 7 * 10**18]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_the_compiled_clock_is_the_clock(steps):
    """Watermark and receive time after each frame, at every edge of what is admitted."""
    one = Clock()
    many = Clock()
    moves = []
    received = []
    expected = []
    ts = T * 10**6
    for ahead, wait, timeless in steps:
        ts = min(max(ts + ahead, 1), 9 * 10**18 - 1)
        recv = min(max((received[-1] if received else T * 10**6) + wait, 0), 9 * 10**18 - 1)
        moves.append(0 if timeless else ts)
        received.append(recv)
        try:
            if not timeless:
                one.admit(ts, recv)
        except FrameError:
            ts = one.watermark or T * 10**6
        expected.append(one.watermark)
    found = watermarks(np.array(moves, np.int64), np.array(received, np.int64), many)
    assert (found.tolist(), many) == (expected, one)
