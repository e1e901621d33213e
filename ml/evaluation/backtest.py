"""What trading on a model's predictions would have earned, on our own captures.

Here: the decisions that follow from predictions, their round trips as taker and as maker, with fees and latency, and
the equity that they make, marked to the market.
Not here: fills of single orders (`ml.evaluation.fills`), figures of returns (`ml.evaluation.returns`), reading stored
partitions (`ml.evaluation.money`).

One position at a time: a decision opens one in the direction predicted and closes it a horizon later, as taker. An
order reaches the market `entry` after it was sent, and its answer comes `response` later. Each order is at most a tenth
of the best level that was seen when it was decided, because nothing here knows how a market answers to larger ones. A
round trip during which the book was not known right is no trade: its result is unknown, and it is counted as such.

A higher fee never earns more. A longer latency never earns more where prices, after an order is sent, only move against
it; in a real market it may, by luck, on any single trade.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.core.time import MS
from ml.evaluation.backtest_report import Execution, Outcome
from ml.evaluation.books import ASK, BID, PRICE, SIZE
from ml.evaluation.fills import queue_ahead, queue_fills, walk
from ml.labels.classes import DOWN, NEUTRAL
from ml.market.book.layout import TradeStream
from ml.tables.spec import F64, I64, TEXT

LEVEL_SHARE = 0.1
"""Of the best level, that an order may have."""
LATENCIES_MS = (0, 50, 100, 200, 300, 500)
FEES_BPS = (0.0, 1.0, 2.0, 3.5, 5.0, 7.5, 10.0)


class Decisions(NamedTuple):
    """Positions to open and close, as arrays in order of time.

    ts i64 (ns), when it is decided; side i8, +1 long or -1 short; leave i64 (ns), when it is decided to close.
    """

    ts: np.ndarray
    side: np.ndarray
    leave: np.ndarray


Worth = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""What sizes are worth at prices, f64 in any unit: a position earns the change of its worth."""


def linear(price: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Of what is settled in the quote currency: price x size."""
    return price.astype(np.float64) * size


def inverse(price: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Of contracts of a fixed amount of the quote currency, settled in the base currency: they lose 1 / price."""
    with np.errstate(divide="ignore"):
        return -size / price.astype(np.float64)


TRADES = pl.Schema(
    {
        "decided_ts": I64,
        "side": pl.Int8(),
        "outcome": TEXT,
        "entry_ts": I64,
        "exit_ts": I64,
        "size": I64,
        "entry_worth": F64,
        "exit_worth": F64,
        "fee": F64,
        "net": F64,
    }
)
"""A round trip: arrival of its orders, size, what it was worth (`Worth`) and what it earned after fees, in the same
unit; null where the outcome is not `done`."""
FILLS = pl.Schema(
    {"trade": I64, "ts": I64, "side": pl.Int8(), "price": I64, "size": I64, "maker": pl.Boolean(), "worth": F64}
)
"""A fill: number of its round trip, time, +1 bought or -1 sold, units, and what it was worth."""


class Result(NamedTuple):
    """Round trips and their fills, one frame each (`TRADES`, `FILLS`)."""

    trades: pl.DataFrame
    fills: pl.DataFrame


def decide(ts: np.ndarray, predicted: np.ndarray, horizon: int, longest: int) -> Decisions:
    """The positions that predictions open: none while one is open, or its last order may be under way.

    Args:
        ts: i64 ns, ascending, of one instrument.
        predicted: classes i8.
        horizon: ns from a decision to the decision to leave.
        longest: ns that an order takes at most, answer included; shorter than the horizon.

    Raises:
        ValueError: an order may take longer than the horizon.
    """
    if longest >= horizon:
        raise ValueError(f"An order may take {longest} ns, but a position lasts {horizon} ns. Shorten the latency.")
    moved = np.flatnonzero(predicted != NEUTRAL)
    chosen: list[int] = []
    k = 0
    while k < len(moved):
        chosen.append(int(moved[k]))
        k = int(np.searchsorted(ts[moved], ts[moved[k]] + horizon + longest, side="left"))
    at = np.array(chosen, np.int64)
    return Decisions(ts[at], np.where(predicted[at] == DOWN, -1, 1).astype(np.int8), ts[at] + horizon)


def order_sizes(decisions: Decisions, seen: np.ndarray, lot: int) -> np.ndarray:
    """Size of each order, i64: a tenth of the best level that it would take from, in whole lots.

    Args:
        decisions: positions to open.
        seen: the book at each decision (`ml.evaluation.books.books_at`).
        lot: size units.
    """
    best = np.where(decisions.side > 0, seen[:, ASK, SIZE, 0], seen[:, BID, SIZE, 0])
    return (best * LEVEL_SHARE).astype(np.int64) // lot * lot


def known_throughout(decisions: Decisions, until: np.ndarray, validity: pl.DataFrame) -> np.ndarray:
    """Whether the book was right from each decision until a time (i64 ns), bool (n): no gap is bridged.

    Args:
        decisions: positions to open.
        until: when the last order of each arrives.
        validity: start_ts and end_ts of the intervals in which the book was known, ascending.
    """
    start, end = (validity[name].to_numpy() for name in ("start_ts", "end_ts"))
    if not len(start):
        return np.zeros(len(until), bool)
    last = np.searchsorted(start, decisions.ts, side="right") - 1
    return (last >= 0) & (until <= end[np.maximum(last, 0)])


def take(
    decisions: Decisions,
    sizes: np.ndarray,
    known: np.ndarray,
    books: tuple[np.ndarray, np.ndarray],
    how: Execution,
    worth: Worth = linear,
) -> Result:
    """Round trips in which both orders take from the book.

    Args:
        decisions: positions to open.
        sizes: i64, of each.
        known: whether the book was right all the while, bool.
        books: the books that entry and exit meet (`ml.evaluation.books.books_at`).
        how: latency and fees.
        worth: of the contract.
    """
    entered = _walked(books[0], decisions.side, np.where(known, sizes, 0))
    size = entered.sum(axis=1)
    left = _walked(books[1], -decisions.side, size)
    outcome = _outcomes(known, sizes, size, left.sum(axis=1))
    arrivals = decisions.ts + how.entry, decisions.leave + how.entry
    done = outcome == Outcome.DONE
    fills = [
        _fills(_side_of(book, side), taken * done[:, None], side, ts, worth)
        for book, taken, side, ts in (
            (books[0], entered, decisions.side, arrivals[0]),
            (books[1], left, -decisions.side, arrivals[1]),
        )
    ]
    ordered = pl.concat(fills).sort("trade", "ts", maintain_order=True)
    return Result(_trades(decisions, outcome, arrivals, ordered, how), ordered)


def make(
    decisions: Decisions,
    sizes: np.ndarray,
    known: np.ndarray,
    books: tuple[np.ndarray, np.ndarray, np.ndarray],
    trades: TradeStream,
    how: Execution,
    changes: Sequence[Sequence[tuple[int, int]]] | None = None,
    worth: Worth = linear,
) -> Result:
    """Round trips that enter as maker, at the best price of their own side, and leave as taker with what was filled.

    An order that would take on arrival is refused by the venue (post-only): it is not filled.

    Args:
        decisions: positions to open.
        sizes: i64, of each.
        known: whether the book was right all the while, bool.
        books: those at the decision, at the arrival of the entry and of the exit.
        trades: in order of arrival.
        how: latency, fees and patience.
        changes: of each order's level while it rested (`ml.evaluation.books.level_changes`); None leaves queues to
            trades alone (`ml.evaluation.fills.queue_fills`).
        worth: of the contract.
    """
    seen, met, leaving = books
    price = resting_price(decisions, seen)
    own = np.where((decisions.side > 0)[:, None, None], met[:, BID], met[:, ASK])
    opposite = np.where(decisions.side > 0, met[:, ASK, PRICE, 0], met[:, BID, PRICE, 0])
    crosses = decisions.side * price >= decisions.side * opposite
    ahead = queue_ahead(own[:, PRICE], own[:, SIZE], price, decisions.side)
    refused = crosses | ~known | (sizes == 0) | (price == 0)
    rest = resting_times(decisions, how)
    clock = np.maximum.accumulate(trades.ts) if len(trades.ts) else trades.ts
    entered: list[tuple[int, int, int, int]] = []
    for k in np.flatnonzero(~refused).tolist():
        met_trades = trades.part(slice(*np.searchsorted(clock, [rest[0][k], rest[1][k]], side="left").tolist()))
        queue = (int(decisions.side[k]), int(price[k]), int(sizes[k]), int(ahead[k]))
        found = queue_fills(*queue, met_trades, changes[k] if changes is not None else ())
        entered += [(k, ts, int(price[k]), filled) for ts, filled in found]
    number, ts, paid, filled = np.array(entered, np.int64).reshape(-1, 4).T
    size = np.bincount(number, filled, len(sizes)).astype(np.int64)
    left = _walked(leaving, -decisions.side, size)
    outcome = _outcomes(known, sizes, size, left.sum(axis=1))
    arrivals = rest[0], decisions.leave + how.entry
    done = outcome == Outcome.DONE
    columns = [number, ts, decisions.side[number], paid, filled, np.ones(len(number), bool), worth(paid, filled)]
    maker = pl.DataFrame(columns, schema=FILLS)
    taker = _fills(_side_of(leaving, -decisions.side), left * done[:, None], -decisions.side, arrivals[1], worth)
    ordered = pl.concat([maker.filter(done[number]), taker]).sort("trade", "ts", maintain_order=True)
    return Result(_trades(decisions, outcome, arrivals, ordered, how), ordered)


def resting_price(decisions: Decisions, seen: np.ndarray) -> np.ndarray:
    """Where a maker's orders rest, i64: the best price of their own side at the decision."""
    return np.where(decisions.side > 0, seen[:, BID, PRICE, 0], seen[:, ASK, PRICE, 0])


def resting_times(decisions: Decisions, how: Execution) -> tuple[np.ndarray, np.ndarray]:
    """From when to before when a maker's orders rest, i64 ns: arrival, and arrival of the cancel.

    What was filled is known when it is decided to leave.
    """
    arrival = decisions.ts + how.entry
    return arrival, np.minimum(arrival + how.patience, decisions.leave - how.response)


def recharged(trades: pl.DataFrame, taker_fee: float) -> pl.DataFrame:
    """Round trips of takers as another fee would have left them: `net` as a fraction of what the entry was worth."""
    done = _fractions(trades)
    return done.select("decided_ts", net=pl.col("gross") - taker_fee * pl.col("turnover"))


def break_even_fee(trades: pl.DataFrame) -> float | None:
    """The fee of each order, as a fraction, at which the mean round trip earns nothing; None without any.

    Each round trip counts the same, as it does in the mean net return: instruments need no common currency.
    """
    done = _fractions(trades)
    return float(done["gross"].sum()) / float(done["turnover"].sum()) if done.height else None


def _fractions(trades: pl.DataFrame) -> pl.DataFrame:
    """What each round trip earned before fees, and what it turned over, as fractions of what its entry was worth."""
    entry, left = pl.col("entry_worth"), pl.col("exit_worth")
    return trades.filter(pl.col("outcome") == Outcome.DONE).select(
        "decided_ts",
        gross=pl.col("side") * (left - entry) / entry.abs(),
        turnover=(entry.abs() + left.abs()) / entry.abs(),
    )


def equity(
    fills: pl.DataFrame, marks: pl.DataFrame, capital: float, how: Execution, worth: Worth = linear
) -> pl.DataFrame:
    """Equity marked to the mid price: ts, equity (f64, 1 at the start), null while a position's price is not known.

    Args:
        fills: of one instrument.
        marks: ts (i64 ns), mid (f64 price units, null where the book is not known), ascending.
        capital: in the unit of `worth`.
        how: fees.
        worth: of the contract.
    """
    ordered = fills.sort("ts")
    paid = ordered["worth"].to_numpy()
    side = ordered["side"].to_numpy().astype(np.int64)
    fee = np.where(ordered["maker"].to_numpy(), how.maker_fee, how.taker_fee) * np.abs(paid)
    cash = np.concatenate([[0.0], np.cumsum(-side * paid - fee)])
    position = np.concatenate([[0], np.cumsum(side * ordered["size"].to_numpy())])
    upto = np.searchsorted(ordered["ts"].to_numpy(), marks["ts"].to_numpy(), side="right")
    mid = marks["mid"].to_numpy()
    # without a position the cash is all there is, whatever is known of the book
    held = np.where(position[upto] == 0, 0.0, worth(mid, position[upto]))
    value = pl.Series(1 + (cash[upto] + held) / capital).fill_nan(None)
    return pl.DataFrame({"ts": marks["ts"], "equity": value})


def capital_of(trades: pl.DataFrame) -> float | None:
    """What the largest entry was worth: equity without leverage; None where nothing was traded."""
    largest = trades["entry_worth"].abs().max()
    return float(largest) if largest else None  # type: ignore[arg-type]


def _side_of(book: np.ndarray, side: np.ndarray) -> np.ndarray:
    """The levels that orders of a side take from, i64 (n, 2, levels)."""
    return np.where((side > 0)[:, None, None], book[:, ASK], book[:, BID])


def _walked(book: np.ndarray, side: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    levels = _side_of(book, side)
    return walk(levels[:, PRICE], levels[:, SIZE], wanted)


def _outcomes(known: np.ndarray, sizes: np.ndarray, entered: np.ndarray, left: np.ndarray) -> np.ndarray:
    conditions = [~known, sizes == 0, entered == 0, left < entered]
    names = [Outcome.UNKNOWN_BOOK, Outcome.TOO_SMALL, Outcome.NOT_FILLED, Outcome.BEYOND_BOOK]
    return np.select(conditions, [name.value for name in names], Outcome.DONE.value)


def _fills(levels: np.ndarray, taken: np.ndarray, side: np.ndarray, ts: np.ndarray, worth: Worth) -> pl.DataFrame:
    trade, level = np.nonzero(taken)
    price, size = levels[trade, PRICE, level], taken[trade, level]
    columns = [trade, ts[trade], side[trade], price, size, np.zeros(len(trade), bool), worth(price, size)]
    return pl.DataFrame(columns, schema=FILLS)


def _trades(
    decisions: Decisions,
    outcome: np.ndarray,
    arrivals: tuple[np.ndarray, np.ndarray],
    fills: pl.DataFrame,
    how: Execution,
) -> pl.DataFrame:
    worth = pl.col("worth")
    entry = pl.col("side") == pl.col("opened")
    fee = pl.when("maker").then(how.maker_fee).otherwise(how.taker_fee)
    opened = pl.DataFrame({"trade": np.arange(len(outcome)), "opened": decisions.side})
    sums = (
        fills.join(opened, on="trade")
        .group_by("trade")
        .agg(
            size=pl.col("size").filter(entry).sum(),
            entry_worth=worth.filter(entry).sum(),
            exit_worth=worth.filter(~entry).sum(),
            fee=(fee * worth.abs()).sum(),
        )
    )
    named = {"decided_ts": decisions.ts, "side": decisions.side, "outcome": outcome.tolist()}
    rows = pl.DataFrame(named | {"entry_ts": arrivals[0], "exit_ts": arrivals[1]}, schema_overrides={"outcome": TEXT})
    joined = rows.with_row_index("trade").cast({"trade": pl.Int64()}).join(sums, on="trade", how="left")
    gross = pl.col("side") * (pl.col("exit_worth") - pl.col("entry_worth"))
    return joined.sort("trade").with_columns(net=gross - pl.col("fee")).select(TRADES.names()).cast(TRADES)


def slower(how: Execution, latency_ms: float) -> Execution:
    """The same with another latency of orders."""
    return replace(how, entry=round(latency_ms * MS))
