"""Candles: open, high, low, close and volume on a UTC grid, each stamped with its close.

Here: candles from trades, coarser candles from finer ones.
Add here: another way to derive candles from what is stored.
Not here: candles that a venue serves (`ml.candles.rest`), how both compare (`ml.candles.reconcile`).

A candle stamped t covers [t - step, t): its trades have `event_ts` in there, as in the exchanges' own candles. Prices
are int64 price units, `volume` and `buy_volume` (the aggressor bought) size units, `notional` the sum of price x size
in units of both, times ns UTC. There are three kinds of rows: with trades; quiet (the interval is known and nobody
traded: volume 0, prices null, never filled); not known (all values null, `reason` says why).

An interval is known where `trade_validity` says that trades were captured from its start to its end.
"""

from collections.abc import Sequence

import polars as pl

from ml.core.errors import DatasetError
from ml.core.time import MINUTE
from ml.tables.schemas import SCHEMAS

TIMEFRAMES: dict[str, int] = {
    name: minutes * MINUTE
    for name, minutes in (
        ("1m", 1),
        ("3m", 3),
        ("5m", 5),
        ("15m", 15),
        ("30m", 30),
        ("1h", 60),
        ("2h", 120),
        ("4h", 240),
        ("6h", 360),
        ("8h", 480),
        ("12h", 720),
        ("1d", 1440),
    )
}
"""Length in ns by name; each divides a UTC day, so that no candle crosses midnight."""
NOT_CAPTURED = "not_captured"
PRICES = ("open", "high", "low", "close")
SUMS = ("volume", "notional", "n_trades", "buy_volume")
_LARGEST = 2**63 - 1


def from_trades(
    trades: pl.DataFrame, trade_validity: pl.DataFrame, start: int, end: int, timeframe: str = "1m"
) -> pl.DataFrame:
    """Every candle of [start, end), a row each in the columns of the table `candles`.

    Args:
        trades: table `trades` of the interval, in order of arrival; a late trade from before `start` counts in the
        first
            candle, so that no trade is lost.
        trade_validity: table `trade_validity` of the interval.
        start: begin, ns UTC, on the grid.
        end: end, ns UTC, on the grid.
        timeframe: one of `TIMEFRAMES`.

    Raises:
        DatasetError: a sum does not fit 64 bits.
    """
    step = TIMEFRAMES[timeframe]
    traded = pl.col("price").cast(pl.Int128) * pl.col("size")
    seen = (
        trades.sort("event_ts", maintain_order=True)
        .with_columns(ts=_close(pl.max_horizontal("event_ts", pl.lit(start)), step), traded=traded)
        .group_by("ts", maintain_order=True)
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("size").cast(pl.Int128).sum(),
            notional=pl.col("traded").sum(),
            n_trades=pl.len().cast(pl.Int128),
            buy_volume=pl.col("size").cast(pl.Int128).filter(pl.col("side") > 0).sum(),
        )
    )
    grid = pl.DataFrame({"ts": pl.int_range(start + step, end + step, step, eager=True)})
    known = _with_reasons(grid, _unknown(trade_validity, start, end), step)
    return _finish(known.join(seen, on="ts", how="left", maintain_order="left"))


def resample(candles: pl.DataFrame, timeframes: Sequence[str], timeframe: str = "1m") -> dict[str, pl.DataFrame]:
    """Coarser candles by timeframe, exactly those that the trades would give.

    A coarse candle is known only if all its fine ones are; else it has the reason of the first that is not.

    Args:
        candles: table `candles`, or frames of its columns.
        timeframes: the wanted ones, multiples of `timeframe`.
        timeframe: what `candles` are.

    Raises:
        DatasetError: a timeframe is no multiple, or a sum does not fit 64 bits.
    """
    uneven = [name for name in timeframes if TIMEFRAMES[name] % TIMEFRAMES[timeframe]]
    if uneven:
        raise DatasetError(f"{uneven[0]} candles cannot be computed from {timeframe} candles. Choose a multiple.")
    return {name: _coarser(candles, TIMEFRAMES[name], TIMEFRAMES[name] // TIMEFRAMES[timeframe]) for name in timeframes}


def kinds(candles: pl.DataFrame) -> pl.DataFrame:
    """How many candles were traded, quiet, or not known and why: columns kind, candles."""
    quiet = pl.when(pl.col("n_trades") == 0).then(pl.lit("quiet"))
    named = candles.select(kind=pl.coalesce("reason", quiet, pl.lit("traded")))
    return named.group_by("kind").agg(candles=pl.len()).sort("kind")


def _close(ts: pl.Expr, step: int) -> pl.Expr:
    """The stamp of the candle that holds a time."""
    return (ts // step + 1) * step


def _unknown(trade_validity: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """The intervals [from, to) between the intervals in which trades were known, and why each began, at least 1 ns."""
    spans = trade_validity.sort("start_ts").select("start_ts", "end_ts", pl.col("end_reason").fill_null(NOT_CAPTURED))
    begins = pl.concat([pl.Series([start]), spans["end_ts"]])
    ends = pl.concat([spans["start_ts"], pl.Series([end])])
    spans = pl.DataFrame(
        {
            "from": begins,
            "to": ends,
            "reason": pl.concat([pl.Series([NOT_CAPTURED], dtype=pl.String), spans["end_reason"]]),
        }
    )
    broken = (pl.col("to") > pl.col("from")) | (pl.col("reason") != NOT_CAPTURED)
    return spans.filter(broken, pl.col("from") < end).with_columns(pl.max_horizontal("to", pl.col("from") + 1))


def _with_reasons(grid: pl.DataFrame, unknown: pl.DataFrame, step: int) -> pl.DataFrame:
    """The grid with the reason of the first unknown interval that a candle touches, null where there is none."""
    first = grid.with_columns(begin=pl.col("ts") - step).join_asof(
        unknown.sort("to"), left_on="begin", right_on="to", strategy="forward", allow_exact_matches=False
    )
    return first.select("ts", reason=pl.when(pl.col("from") < pl.col("ts")).then("reason"))


def _coarser(candles: pl.DataFrame, step: int, expected: int) -> pl.DataFrame:
    grouped = (
        candles.sort("ts")
        .group_by(_close(pl.col("ts") - 1, step), maintain_order=True)
        .agg(
            pl.col("open").drop_nulls().first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").drop_nulls().last(),
            pl.col(SUMS).cast(pl.Int128).sum(),
            reason=pl.col("reason").drop_nulls().first(),
            rows=pl.len(),
        )
    )
    short = pl.when(pl.col("rows") < expected).then(pl.lit(NOT_CAPTURED))
    return _finish(grouped.with_columns(reason=pl.coalesce("reason", short)))


def _finish(frame: pl.DataFrame) -> pl.DataFrame:
    """Nulls where a reason stands, zeros where nobody traded, 64 bits."""
    frame = frame.with_columns(
        *(pl.when(pl.col("reason").is_null()).then(name).alias(name) for name in PRICES),
        *(pl.when(pl.col("reason").is_null()).then(pl.col(name).fill_null(0)).alias(name) for name in SUMS),
    )
    for name in SUMS:
        large = frame.filter(pl.col(name) > _LARGEST)
        if large.height:
            raise DatasetError(
                f"candles: {large.height} sums of {name} do not fit 64 bits (first at {large['ts'][0]}). "
                "List the instrument with fewer decimals, or choose a shorter timeframe."
            )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in SCHEMAS["candles"].items())
