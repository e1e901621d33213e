"""Fills against loops over single units, and against hftbacktest on the same events."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.evaluation import books, fills
from ml.evaluation.books import LEVELS, Resting
from tests.oracles import fills as oracle
from tests.support import tape


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), st.integers(0, 70))
def test_a_taker_walks_the_book_unit_by_unit(sizes, wanted):
    """Best level first; what is not there stays unfilled."""
    levels = [(100 + k, size) for k, size in enumerate(sizes)]
    prices = np.array([[price for price, _ in levels]])
    taken = fills.walk(prices, np.array([sizes]), np.array([wanted]))
    assert taken[0].tolist() == oracle.walk(levels, wanted)
    assert fills.walk(np.zeros_like(prices), np.array([sizes]), np.array([wanted])).sum() == 0


TRADES = st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(98, 102), st.integers(1, 30)), max_size=12)


@given(st.sampled_from([1, -1]), st.integers(1, 25), st.integers(0, 40), TRADES, st.booleans(), st.integers(0, 99))
def test_a_maker_waits_for_those_ahead(side, size, ahead, trades, shrinks, seed):
    """Every traded unit goes to somebody; a kinder queue never fills less, nor later."""
    timed = [(10 * k, *trade) for k, trade in enumerate(trades)]
    stream = tape.streams([(0, [(1, 1, 1)])], timed)[1]
    rng = np.random.default_rng(seed)
    changes = [(10 * k + 5, int(rng.integers(0, 40))) for k in range(len(trades))] if shrinks else []
    found = fills.queue_fills(side, 100, size, ahead, stream, changes)
    assert found == oracle.queue(side, 100, size, ahead, timed, changes)
    strict = fills.queue_fills(side, 100, size, ahead, stream)
    assert sum(q for _, q in strict) <= sum(q for _, q in found) <= size
    assert fills.queue_fills(side, 100, size, -1, stream) == []


def test_what_is_ahead_of_an_order():
    """At a level, between levels, before the best, and beyond what can be seen."""
    bids = np.array([[100, 98, 97]] * 4 + [[0, 0, 0]])
    sizes = np.array([[5, 7, 9]] * 4 + [[0, 0, 0]])
    price = np.array([98, 99, 101, 96, 100])
    assert fills.queue_ahead(bids, sizes, price, np.full(5, 1)).tolist() == [7, 0, 0, -1, -1]
    asks = np.array([[101, 103, 104]] * 4)
    found = fills.queue_ahead(asks, sizes[:4], np.array([103, 102, 100, 105]), np.full(4, -1))
    assert found.tolist() == [7, 0, 0, -1]


@given(st.integers(0, 300), st.lists(st.integers(-1, 60), min_size=1, max_size=12), st.integers(1, 40))
def test_the_book_at_any_time_is_that_of_dictionaries(seed, tenths, cut):
    """In any order of times, whatever the messages are divided into; a message at the time itself is not seen."""
    messages, _ = tape.market(seed, 50)
    times = np.array([messages[0][0] + tenth * tape.STEP // 2 for tenth in tenths])
    parts = [tape.streams(messages, [])[0]]
    if cut < len(messages):
        head, tail = tape.streams(messages[:cut], [])[0], tape.streams(messages[cut:], [])[0]
        parts = [head, tail._replace(flags=tail.flags & ~1)]
    found = books.books_at(parts, times)
    for t, book in zip(times.tolist(), found, strict=True):
        for side, expected in enumerate(oracle.book_before(messages, t, LEVELS)):
            levels = [(p, s) for p, s in zip(*book[side].tolist(), strict=True) if p]
            assert levels == expected


def test_a_book_that_is_not_known_has_no_levels():
    """Before the first snapshot, after a break, and while one-sided."""
    messages = [(100, [(1, 10, 5), (-1, 11, 5)]), (200, [(0, 0, 0)]), (300, [(1, 10, 5)]), (400, [(-1, 12, 1)])]
    stream = tape.streams(messages, [])[0]
    flags = stream.flags.copy()
    flags[1] |= 2  # the book is discarded
    flags[2] |= 1  # a snapshot of one side
    found = books.books_at([stream._replace(flags=flags)], np.array([50, 150, 250, 350, 450]))
    assert (found[:, :, 0, 0] > 0).all(axis=1).tolist() == [False, True, False, False, True]
    assert books.books_at([], np.array([5])).sum() == 0


@given(st.integers(0, 200), st.integers(0, 150), st.integers(1, 60))
def test_changes_of_a_level_are_those_of_its_messages(seed, start, length):
    """Only those within the order's time, at its price, on its side."""
    messages, _ = tape.market(seed, 200)
    t0 = messages[0][0] + start * tape.STEP + 7
    orders = Resting(np.array([1]), np.array([tape.MID - 1]), np.array([t0]), np.array([t0 + length * tape.STEP]))
    whole = tape.streams(messages, [])[0]
    head, tail = tape.streams(messages[:77], [])[0], tape.streams(messages[77:], [])[0]
    expected = [
        (ts, s)
        for ts, rows in messages
        for side, price, s in rows
        if t0 <= ts < orders.end[0] and (side, price) == (1, tape.MID - 1)
    ]
    assert books.level_changes([whole], orders) == [expected]
    assert books.level_changes([head, tail], orders) == [expected]


def hft(messages, trades):
    """The same events in a backtest of hftbacktest, partial fills, cautious queue, no latency; and the events.

    It reads them where they lie: whoever runs it must keep them.
    """
    import hftbacktest as theirs

    both = theirs.EXCH_EVENT | theirs.LOCAL_EVENT
    sides = {1: theirs.BUY_EVENT, -1: theirs.SELL_EVENT}
    rows = [
        (theirs.DEPTH_SNAPSHOT_EVENT if n == 0 else theirs.DEPTH_EVENT, ts, side, price, size)
        for n, (ts, levels) in enumerate(messages)
        for side, price, size in levels
    ]
    rows += [(theirs.TRADE_EVENT, ts, aggressor, price, size) for ts, aggressor, price, size in trades]
    events = np.zeros(len(rows), theirs.types.event_dtype)
    for k, (kind, ts, side, price, size) in enumerate(sorted(rows, key=lambda row: row[1])):
        events[k] = (kind | both | sides[side], ts, ts, price, size, 0, 0, 0.0)
    asset = (
        theirs.BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .partial_fill_exchange()
        .trading_value_fee_model(0, 0)
        .tick_size(1.0)
        .lot_size(1.0)
    )
    return theirs.HashMapMarketDepthBacktest([asset]), events


def test_takers_are_filled_as_in_hftbacktest():
    """Marketable orders of all sizes at many times: the same deepest level, taken from as much, and the same rest.

    It reports the last of the levels that an order took from, so that one is compared.
    """
    import hftbacktest as theirs

    levels_taken = set()
    for seed in range(6):
        messages, trades = tape.market(seed, 120)
        start = messages[0][0]
        asked = [(start + (20 * k + 10) * tape.STEP + 5_000, 1 if k % 2 else -1, 15 * k + 5) for k in range(5)]
        found = books.books_at([tape.streams(messages, trades)[0]], np.array([ts for ts, _, _ in asked]))
        engine, _events = hft(messages, trades)
        engine.elapse(0)
        for number, ((ts, side, size), book) in enumerate(zip(asked, found, strict=True), start=1):
            engine.elapse(ts - engine.current_timestamp)
            send = engine.submit_buy_order if side > 0 else engine.submit_sell_order
            send(0, number, 2_000.0 if side > 0 else 1.0, float(size), theirs.order.IOC, theirs.LIMIT, True)
            levels = book[1 if side > 0 else 0]
            taken = fills.walk(levels[:1], levels[1:], np.array([size]))[0]
            last = np.flatnonzero(taken)[-1]
            order = engine.orders(0).get(number)
            assert (order.exec_price, order.exec_qty) == (levels[0, last], taken[last])
            assert order.leaves_qty == size - taken.sum()
            levels_taken.add(int(last))
        engine.close()
    assert {0, 1} <= levels_taken


def test_makers_are_filled_as_in_hftbacktest():
    """Resting orders at and below the best: their cautious queue is ours when it shrinks with the level."""
    import hftbacktest as theirs

    partly = 0
    for seed in range(12):
        messages, trades = tape.market(seed, 200)
        start = messages[0][0]
        stream, tradestream = tape.streams(messages, trades)
        side = 1 if seed % 2 else -1
        at = start + 30 * tape.STEP + 5_000
        book = books.books_at([stream], np.array([at]))
        levels = book[:, 0 if side > 0 else 1]
        price = levels[:, 0, seed % 3]
        ahead = fills.queue_ahead(levels[:, 0], levels[:, 1], price, np.array([side]))
        until = messages[-1][0]
        orders = Resting(np.array([side]), price, np.array([at]), np.array([until]))
        later = tradestream.part(slice(int(np.searchsorted(tradestream.ts, at)), None))
        changes = books.level_changes([stream], orders)[0]
        size = 40 + seed
        ours = fills.queue_fills(side, int(price[0]), size, int(ahead[0]), later, changes)
        engine, _events = hft(messages, trades)
        engine.elapse(0)
        engine.elapse(at - engine.current_timestamp)
        send = engine.submit_buy_order if side > 0 else engine.submit_sell_order
        send(0, 1, float(price[0]), float(size), theirs.GTX, theirs.LIMIT, True)
        engine.elapse(until - engine.current_timestamp - 1)
        order = engine.orders(0).get(1)
        assert order.leaves_qty == size - sum(q for _, q in ours)
        assert not ours or order.exec_qty == ours[-1][1]
        strict = sum(q for _, q in fills.queue_fills(side, int(price[0]), size, int(ahead[0]), later))
        assert strict <= sum(q for _, q in ours)
        partly += bool(ours)
        engine.close()
    assert partly >= 4
