"""Compares candles from trades with those of the venue, for one timeframe.

A minute without trades is not an outage: we have a quiet candle, the venue repeats its last price or has none.
"""

from typing import NamedTuple

import polars as pl

from ml.candles.from_trades import NOT_CAPTURED, PRICES

COMPARED = (*PRICES, "volume", "n_trades", "buy_volume")


class Reconciliation(NamedTuple):
    """How candles from trades compare with a venue's.

    `counts` has the number of candles by verdict: `agree`; `quiet` (nobody traded, or the venue has no candle of it);
    `differs`; `not_captured` and `not_published` (known to the venue alone, or to us alone); `neither`. `differences`
    has a row per value that differs: ts, verdict, column, from_trades, from_venue; one-sided candles show their
    volume.
    """

    differences: pl.DataFrame
    counts: dict[str, int]


def reconcile(candles: pl.DataFrame, served: pl.DataFrame, carried_open: bool = False) -> Reconciliation:
    """Compare candles from trades with those that a venue serves, of one timeframe, both in the columns of `candles`.

    A value that the venue does not give (null) is not compared, nor is `notional`, which venues round.

    Args:
        candles: from trades.
        served: the venue's.
        carried_open: the venue opens each candle at its close before (`ml.candles.klines.CARRIED_OPEN`): our open,
        high and low
            are set beside its own as if we did.
    """
    both = candles.join(served, on="ts", how="full", coalesce=True, suffix="_venue").sort("ts")
    if carried_open:
        both = both.with_columns(_carried())
    ours = pl.col("volume").is_not_null()
    theirs = pl.col("volume_venue").is_not_null()
    unequal = pl.any_horizontal(_differs(name) for name in COMPARED)
    idle, idle_there = (pl.col(name).fill_null(0) == 0 for name in ("volume", "volume_venue"))
    verdict = (
        pl.when(~ours & ~theirs)
        .then(pl.lit("neither"))
        .when(~ours)
        .then(pl.lit(NOT_CAPTURED))
        .when(idle & idle_there)
        .then(pl.lit("quiet"))
        .when(~theirs)
        .then(pl.lit("not_published"))
        .when(unequal)
        .then(pl.lit("differs"))
        .otherwise(pl.lit("agree"))
    )
    judged = both.with_columns(verdict=verdict)
    one_sided = pl.col("verdict").is_in([NOT_CAPTURED, "not_published"])
    parts = [
        judged.filter(
            ((pl.col("verdict") == "differs") & _differs(name))
            | (one_sided if name == "volume" else pl.lit(value=False))
        ).select("ts", "verdict", column=pl.lit(name), from_trades=name, from_venue=f"{name}_venue")
        for name in COMPARED
    ]
    counts = dict(judged["verdict"].value_counts().iter_rows())
    return Reconciliation(pl.concat(parts).sort("ts", "column"), counts)


def _carried() -> list[pl.Expr]:
    """Our prices of a traded candle, opened at the venue's close before; at its own open where that is not known."""
    traded = pl.col("open").is_not_null()
    opened = pl.coalesce(pl.col("close_venue").shift(1), "open_venue", "open")
    reaching = {"open": opened, "high": pl.max_horizontal("high", opened), "low": pl.min_horizontal("low", opened)}
    return [pl.when(traded).then(price).alias(name) for name, price in reaching.items()]


def _differs(name: str) -> pl.Expr:
    """Whether a value differs; a count that the venue does not give is not compared."""
    given = pl.col(f"{name}_venue").is_not_null() | pl.lit(name in PRICES)
    return given & pl.col(name).ne_missing(pl.col(f"{name}_venue"))
