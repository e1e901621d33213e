"""The backtest of a candidate and of its rival over stored partitions, as a report that gates and people read.

Here: reading a day's events, running both strategies on them, and the figures with their intervals.
Not here: fills and round trips (`ml.evaluation.backtest`), what must be how large (`ml.evaluation.gates`).

Both trade the same rows of the test with the same rule and the same costs. An instrument's capital is what its largest
entry cost, so there is no leverage; equity is the mean over instruments.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import MINUTE, MS, SECOND
from ml.evaluation import ab_test, backtest, returns
from ml.evaluation.backtest import FEES_BPS, LATENCIES_MS, Decisions, Result
from ml.evaluation.backtest_report import (
    CANDIDATE,
    CLAIMED,
    BacktestReport,
    Execution,
    Figure,
    Outcome,
    Point,
    Traded,
)
from ml.evaluation.books import Resting, books_at, level_changes
from ml.learning import metrics
from ml.market.book.layout import BookStream
from ml.market.days.samples import whole_messages
from ml.market.days.tables import BOOK, book_stream, trade_stream
from ml.storage.commit import read
from ml.storage.parquet import Stored

INVERSE = ("binance-coinm", "bybit-inverse")
"""Venues whose contracts are settled in the base currency (`ml.evaluation.backtest.inverse`)."""


class _Day(NamedTuple):
    """What one instrument's day gave, by strategy: round trips and fills at each latency, and the day's mid prices."""

    instrument: Instrument
    takers: dict[tuple[str, float], Result]
    makers: dict[str, Result]
    marks: pl.DataFrame


def execution(config: Config) -> Execution:
    """Latency and fees of a backtest: the taker's fee is that of the labels."""
    plan = config.backtest
    latency = round(plan.latency_ms * MS)
    return Execution(latency, latency, config.labels.taker_fee, plan.maker_fee)


def worth_of(instrument: Instrument) -> backtest.Worth:
    """What a size of an instrument's contract is worth at a price, in the currency that it is settled in."""
    return backtest.inverse if instrument.venue in INVERSE else backtest.linear


def run(
    root: DataRoot, config: Config, test: pl.DataFrame, rival: str, horizon: int, predictions_sha256: str
) -> BacktestReport:
    """Trade the test rows of a candidate and of its rival.

    Args:
        root: where the events, trades, validity and labels of the rows' days are stored.
        config: instruments and the taker's fee.
        test: instrument, ts, `direction`, `predicted` and `rival` (classes i8), one row per time.
        rival: its name.
        horizon: seconds from a decision to leaving.
        predictions_sha256: hash of the file that holds the predictions.
    """
    how = execution(config)
    dated = test.with_columns(date=pl.from_epoch(pl.col("ts"), time_unit="ns").dt.date().cast(pl.String()))
    days = [
        _day(root, rows, config.instrument(str(name), str(date)), str(date), horizon * SECOND, how, rival)
        for (name, date), rows in dated.sort("instrument", "ts").group_by("instrument", "date", maintain_order=True)
    ]
    if not days:
        return BacktestReport(predictions_sha256, rival, how)
    base = how.entry / MS
    capital = _capital(days, base)
    traded = [
        _traded(name, [(day, day.takers[name, base]) for day in days], capital, how) for name in (CANDIDATE, rival)
    ]
    makers = [_traded(queue, [(day, day.makers[queue]) for day in days], capital, how) for queue in days[0].makers]
    paired = returns.paired_return(traded[0].equity, traded[1].equity, MINUTE)
    figures = headline(test, traded[0], horizon)
    return BacktestReport(predictions_sha256, rival, how, traded, makers, _curve(days, how), paired, figures)


def headline(test: pl.DataFrame, own: Traded, horizon: int) -> list[Figure]:
    """The three figures that the predecessors were sold by, each with its interval at 95 %.

    Args:
        test: direction, predicted, ts of the candidate's test rows.
        own: what the candidate did.
        horizon: seconds.
    """
    direction, predicted, ts = (test[name].to_numpy() for name in ("direction", "predicted", "ts"))
    draws = metrics.bootstrap_macro_f1(direction, predicted, ts, ab_test.block_ns(horizon))
    low, high = np.nanquantile(draws, [(1 - returns.CONFIDENCE) / 2, (1 + returns.CONFIDENCE) / 2])
    score = float(metrics.macro_f1(metrics.confusion(direction, predicted)))
    ratio = own.sharpe
    named = [
        (score, float(low), float(high), f"{test.height} rows"),
        (own.win_rate, own.win_lower, own.win_upper, f"{own.trades} round trips"),
        (ratio.ratio, ratio.lower, ratio.upper, f"{ratio.days} UTC days, {returns.MIN_DAYS} decide"),
    ]
    return [
        Figure(name, *values[:3], claimed, values[3])
        for (name, claimed), values in zip(CLAIMED.items(), named, strict=True)
    ]


def _day(
    root: DataRoot, rows: pl.DataFrame, instrument: Instrument, date: str, horizon: int, how: Execution, rival: str
) -> _Day:
    at = date, instrument.id
    ts = rows["ts"].to_numpy()
    longest = max(how.entry, LATENCIES_MS[-1] * MS) + how.response
    chosen = {
        name: backtest.decide(ts, rows[column].to_numpy(), horizon, longest)
        for name, column in ((CANDIDATE, "predicted"), (rival, "rival"))
    }
    latencies = sorted({how.entry / MS, *LATENCIES_MS})
    times = {name: _times(decisions, latencies) for name, decisions in chosen.items()}
    everything = np.unique(np.concatenate([t for own in times.values() for t in own.values()]))
    books = books_at(_events(root, *at), everything)
    validity = read(root.partition("validity", *at)).collect().sort("start_ts")
    takers: dict[tuple[str, float], Result] = {}
    makers: dict[str, Result] = {}
    for name, decisions in chosen.items():
        met = {key: books[np.searchsorted(everything, t)] for key, t in times[name].items()}
        sizes = backtest.order_sizes(decisions, met["seen", 0.0], instrument.lot)
        # one set of decisions for all latencies: those that the slowest can judge
        known = backtest.known_throughout(decisions, decisions.leave + longest, validity)
        for ms in latencies:
            legs = met["entry", ms], met["exit", ms]
            takers[name, ms] = backtest.take(
                decisions, sizes, known, legs, backtest.slower(how, ms), worth_of(instrument)
            )
        if name == CANDIDATE:
            base = how.entry / MS
            seen_entry_exit = met["seen", 0.0], met["entry", base], met["exit", base]
            makers |= _makers(root, date, instrument, decisions, sizes, known, seen_entry_exit, how)
    marks = read(root.partition("future_labels", *at)).select("ts", mid="mid_units").collect()
    begin = int(ts[0]) // MINUTE * MINUTE
    within = pl.col("ts").is_between(begin, int(ts[-1]) + horizon + longest + MINUTE, closed="right")
    # nothing is held yet, so the first mark needs no price
    first = pl.DataFrame({"ts": [begin], "mid": [None]}, schema=marks.schema)
    each = pl.concat([first, marks.filter(within & (pl.col("ts") % MINUTE == 0))])
    return _Day(instrument, takers, makers, each)


def _makers(
    root: DataRoot,
    date: str,
    instrument: Instrument,
    decisions: Decisions,
    sizes: np.ndarray,
    known: np.ndarray,
    legs: tuple[np.ndarray, np.ndarray, np.ndarray],
    how: Execution,
) -> dict[str, Result]:
    at, worth = (date, instrument.id), worth_of(instrument)
    trades = trade_stream(read(root.partition("trades", *at)).collect())
    orders = Resting(
        decisions.side, backtest.resting_price(decisions, legs[0]), *backtest.resting_times(decisions, how)
    )
    changes = level_changes(_events(root, *at), orders)
    return {
        "maker, trades alone move the queue": backtest.make(decisions, sizes, known, legs, trades, how, worth=worth),
        "maker, queue no longer than its level": backtest.make(
            decisions, sizes, known, legs, trades, how, changes, worth
        ),
    }


def _times(decisions: Decisions, latencies: list[float]) -> dict[tuple[str, float], np.ndarray]:
    """When the book is needed: at each decision, and where its orders arrive at each latency."""
    found = {("seen", 0.0): decisions.ts}
    for ms in latencies:
        found["entry", ms] = decisions.ts + round(ms * MS)
        found["exit", ms] = decisions.leave + round(ms * MS)
    return found


def _events(root: DataRoot, date: str, instrument: str) -> Iterator[BookStream]:
    stored = Stored(root.partition("book_events", date, instrument))
    parts = (book_stream(part) for part in whole_messages(stored.parts(*BOOK), with_opening=True))
    return (part for part in parts if len(part.ts))


def _capital(days: list[_Day], base: float) -> dict[str, float]:
    """Of each instrument, in the units of its worth: the largest entry of both strategies."""
    found: dict[str, float] = {}
    for day in days:
        for (_, ms), result in day.takers.items():
            largest = backtest.capital_of(result.trades)
            if ms == base and largest is not None:
                found[day.instrument.id] = max(found.get(day.instrument.id, 0.0), largest)
    return found


def _traded(name: str, found: list[tuple[_Day, Result]], capital: Mapping[str, float], how: Execution) -> Traded:
    trades = pl.concat([result.trades for _, result in found])
    done = trades.filter(pl.col("outcome") == Outcome.DONE).sort("entry_ts")
    outcomes = {str(outcome): count for outcome, count in trades["outcome"].value_counts(sort=True).iter_rows()}
    fraction = (done["net"] / done["entry_worth"].abs()).to_numpy()
    wins = int((fraction > 0).sum())
    share = returns.share_interval(wins, done.height) or (None, None)
    interval = _bps(done["entry_ts"].to_numpy(), fraction)
    fee = backtest.break_even_fee(trades)
    equity = _equity(found, capital, how)
    daily = returns.daily_returns(equity)
    return Traded(
        name,
        outcomes,
        wins / done.height if done.height else None,
        *share,
        *interval,
        None if fee is None else 1e4 * fee,
        returns.sharpe(daily["return"].to_numpy()),
        [(date, value) for date, value in daily.iter_rows()],
        [(ts, value) for ts, value in equity.iter_rows()],
    )


def _equity(found: list[tuple[_Day, Result]], capital: Mapping[str, float], how: Execution) -> pl.DataFrame:
    """Mean equity over instruments each minute: ts, equity; null where one of them cannot be marked."""
    traded = {day.instrument.id: day.instrument for day, _ in found if day.instrument.id in capital}
    names = list(traded)
    curves: list[pl.DataFrame] = []
    for name in names:
        own = [(day, result) for day, result in found if day.instrument.id == name]
        fills = pl.concat([result.fills for _, result in own])
        marks = pl.concat([day.marks for day, _ in own]).sort("ts")
        curve = backtest.equity(fills, marks, capital[name], how, worth_of(traded[name]))
        # unknown is not absent: an instrument without rows for a time holds nothing, one without a price may
        curves.append(curve.with_columns(pl.col("equity").fill_null(float("nan")).alias(name)).select("ts", name))
    if not curves:
        return pl.DataFrame(schema={"ts": pl.Int64(), "equity": pl.Float64()})
    both = curves[0]
    for curve in curves[1:]:
        both = both.join(curve, on="ts", how="full", coalesce=True)
    filled = both.sort("ts").with_columns(pl.col(names).forward_fill().fill_null(1.0))
    return filled.select("ts", equity=pl.mean_horizontal(names).fill_nan(None))


def _curve(days: list[_Day], how: Execution) -> list[Point]:
    base = how.entry / MS
    latencies = sorted({base, *LATENCIES_MS})
    fees = sorted({round(1e4 * how.taker_fee, 4), *FEES_BPS})
    asked = [(ms, 1e4 * how.taker_fee) for ms in latencies] + [(base, fee) for fee in fees]
    return [_point(days, ms, fee) for ms, fee in asked]


def _point(days: list[_Day], ms: float, fee_bps: float) -> Point:
    trades = pl.concat([day.takers[CANDIDATE, ms].trades for day in days])
    net = backtest.recharged(trades, fee_bps / 1e4).sort("decided_ts")
    values = net["net"].to_numpy()
    rate = float((values > 0).mean()) if len(values) else None
    return Point(ms, fee_bps, len(values), rate, *_bps(net["decided_ts"].to_numpy(), values))


def _bps(ts: np.ndarray, values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Mean and bounds in basis points."""
    if not len(values):
        return None, None, None
    mean, lower, upper = returns.mean_interval(ts, values)
    return 1e4 * mean, None if lower is None else 1e4 * lower, None if upper is None else 1e4 * upper
