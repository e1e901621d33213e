"""Book replay in memory with the best 20 levels every 100 ms: the kernel, hftbacktest's engines, ccxt's book."""

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numba import njit

from ml.market.book import kernel, layout
from ml.market.book.sampler import NO_TRADES
from ml.market.decode.events import SNAPSHOT
from tests.benchmarks.stream import Recorded, copies, level_updates

PERIOD = 100_000_000
LEVELS = 20
OURS_COPIES = 8
HFT_COPIES = 8
CCXT_COPIES = 1
RUNS = 7
SLOW_RUNS = 5


def measure(once: Recorded, most_runs: int = RUNS) -> dict[str, float]:
    """Level updates per second of each contender, medians over interleaved runs; checks that the snapshots agree.

    Input, engines and output arrays are prepared outside the clock.
    """
    stream = copies(once, OURS_COPIES)
    small = copies(once, CCXT_COPIES)
    events = _hft_events(stream)
    asset = _hft_asset(once)
    contenders: dict[str, tuple[Callable[[], Callable[[], object]], int, int]] = {
        "kernel, book only": (lambda: _ours(stream, flows=False), level_updates(stream), RUNS),
        "kernel, all flows": (lambda: _ours(stream, flows=True), level_updates(stream), RUNS),
        "hftbacktest ROI": (lambda: _hft(events, asset), level_updates(stream), RUNS),
        "ccxt order book": (lambda: _ccxt(small), level_updates(small), SLOW_RUNS),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for run in range(most_runs + 1):
        for name, (prepare, _, runs) in contenders.items():
            if run <= runs:
                contender = prepare()
                started = perf_counter()
                contender()
                times[name].append(perf_counter() - started)
    _same_snapshots(stream, events, asset)
    # the first run compiles
    return {name: contenders[name][1] / float(np.median(times[name][1:])) for name in contenders}


def _ours(stream: Recorded, flows: bool) -> Callable[[], np.ndarray]:
    room = int((stream.books.ts[-1] - stream.books.ts[0]) // PERIOD) + 2
    state = layout.empty_state(PERIOD, room, flows)
    state.samples[:] = -1
    books = layout.constant(stream.books)
    trades = layout.constant(stream.trades if flows else NO_TRADES)
    position = np.zeros(2, np.int64)

    def run() -> np.ndarray:
        assert kernel.run(state, books, trades, position) == layout.DONE
        return state.samples[: state.meta[layout.CLOSED]]

    return run


def _hft_events(stream: Recorded) -> np.ndarray:
    import hftbacktest as hft

    books = stream.books
    start = np.concatenate([[0], books.end[:-1]])
    message = np.repeat(np.arange(len(books.ts)), books.end - start)
    kind = np.where(books.flags[message] & SNAPSHOT, hft.DEPTH_SNAPSHOT_EVENT, hft.DEPTH_EVENT)
    events = np.zeros(len(books.side), hft.types.event_dtype)
    both = hft.EXCH_EVENT | hft.LOCAL_EVENT
    events["ev"] = kind | both | np.where(books.side > 0, hft.BUY_EVENT, hft.SELL_EVENT)
    events["exch_ts"] = events["local_ts"] = books.ts[message]
    events["px"] = books.price / 10**stream.instrument.price_decimals
    events["qty"] = books.size / 10**stream.instrument.size_decimals
    parts = []
    last = 0
    for anchor in np.flatnonzero(books.flags & SNAPSHOT):
        at = start[anchor]
        clear = np.zeros(2, events.dtype)
        clear["ev"] = hft.DEPTH_CLEAR_EVENT | both | np.array([hft.BUY_EVENT, hft.SELL_EVENT], np.uint64)
        clear["exch_ts"] = clear["local_ts"] = books.ts[anchor]
        clear["px"] = [0.0, 1e9]
        parts += [events[last:at], clear]
        last = at
    return np.concatenate([*parts, events[last:]])


def _hft_asset(once: Recorded) -> Callable[[np.ndarray], object]:
    import hftbacktest as hft

    tick = once.instrument.tick / 10**once.instrument.price_decimals
    prices = once.books.price / 10**once.instrument.price_decimals
    return lambda events: (
        hft.BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0, 0)
        .tick_size(tick)
        .lot_size(1 / 10**once.instrument.size_decimals)
        .roi_lb(float(prices.min()) if prices.min() > 1 else 0.0)
        .roi_ub(float(prices.max()))
        .last_trades_capacity(0)
    )


def _hft(events: np.ndarray, asset: Callable[[np.ndarray], object]) -> Callable[[], np.ndarray]:
    import hftbacktest as hft

    engine = hft.ROIVectorMarketDepthBacktest([asset(events)])
    first = int(events["exch_ts"][0])
    rows = np.full((int((events["exch_ts"][-1] - first) // PERIOD) + 2, 1 + 4 * LEVELS), -1.0)

    def run() -> np.ndarray:
        count = _drive(engine, first, rows)
        return rows[:count]

    return run


@njit
def _drive(engine, first, rows):
    """Advance to each multiple of the period and copy the best levels, as a strategy would read them."""
    count = 0
    boundary = (first // PERIOD + 1) * PERIOD
    # the state just before the boundary: events at the boundary itself belong to the next sample
    code = engine.elapse(boundary - 1 - first)
    while code == 0 and count < rows.shape[0]:
        depth = engine.depth(0)
        row = rows[count]
        row[0] = boundary + count * PERIOD
        k = 0
        tick = depth.best_bid_tick
        while k < LEVELS and tick > depth.roi_lb_tick:
            size = depth.bid_qty_at_tick(tick)
            if size > 0:
                row[1 + k] = tick
                row[1 + LEVELS + k] = size
                k += 1
            tick -= 1
        k = 0
        tick = depth.best_ask_tick
        while k < LEVELS and tick < depth.roi_ub_tick:
            size = depth.ask_qty_at_tick(tick)
            if size > 0:
                row[1 + 2 * LEVELS + k] = tick
                row[1 + 3 * LEVELS + k] = size
                k += 1
            tick += 1
        count += 1
        code = engine.elapse(PERIOD)
    return count


def _ccxt(stream: Recorded) -> Callable[[], int]:
    """The book of ccxt, fed with the deltas and asked for its best 20 levels every 100 ms."""
    from ccxt.async_support.base.ws.order_book import OrderBook

    books = stream.books
    sizes = (books.size / 10.0**stream.instrument.size_decimals).tolist()
    prices = (books.price / 10.0**stream.instrument.price_decimals).tolist()
    sides = books.side.tolist()
    messages = list(zip(books.ts.tolist(), books.flags.tolist(), books.end.tolist(), strict=True))
    book = OrderBook({}, 10_000)

    def run() -> int:
        start = 0
        taken = 0
        boundary = (messages[0][0] // PERIOD + 1) * PERIOD
        for ts, flags, end in messages:
            while ts >= boundary:
                taken += len(book["bids"][:LEVELS]) + len(book["asks"][:LEVELS])
                boundary += PERIOD
            if flags & SNAPSHOT:
                book.reset({})
            bids = book["bids"]
            asks = book["asks"]
            for k in range(start, end):
                (bids if sides[k] > 0 else asks).store(prices[k], sizes[k])
            start = end
        return taken

    return run


def _same_snapshots(stream: Recorded, events: np.ndarray, asset: Callable[[np.ndarray], object]) -> None:
    """All 20 levels of both sides, prices and sizes, at every grid time that both engines sampled."""
    ours = _ours(stream, flows=False)()
    theirs = _hft(events, asset)()
    scale = 10.0**stream.instrument.size_decimals
    mine = {int(row[layout.TS]): row for row in ours if row[layout.BID_SIZE]}
    compared = 0
    for row in theirs:
        own = mine.get(int(row[0]))
        if own is None:
            continue
        levels = np.concatenate([row[1 : 1 + LEVELS], np.rint(row[1 + LEVELS : 1 + 2 * LEVELS] * scale)])
        levels = np.concatenate([levels, row[1 + 2 * LEVELS : 1 + 3 * LEVELS], np.rint(row[1 + 3 * LEVELS :] * scale)])
        assert np.array_equal(own[1 : 1 + 4 * LEVELS], levels.astype(np.int64)), f"snapshots differ at {int(row[0])}"
        compared += 1
    assert compared > 0.9 * len(theirs), f"only {compared} of {len(theirs)} snapshots could be compared"
