"""A day of random samples with gaps, and minutes with quiet and unknown ones, from which rows are made."""

from functools import cache

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.features.legacy.build import Day, build
from ml.features.legacy.table import LEGACY_SETS
from ml.market.book import layout
from tests.support.candles import candle_frame
from tests.support.samples import invalid, random_samples

PAIR = Instrument("sim.PAIR", price_decimals=2, size_decimals=3, tick=1, lot=1)
MINUTE = 60 * 10**9
GAP = slice(700, 720)


def minutes(samples, before=300):
    """Candles up to the last sample; one in seven is quiet."""
    first = (int(samples[0, layout.TS]) // MINUTE - before) * MINUTE
    rows = (int(samples[-1, layout.TS]) - first) // MINUTE
    candles = candle_frame(rows, first=first, step=MINUTE)
    quiet = (pl.int_range(pl.len()) % 7 == 3) & (pl.int_range(pl.len()) > 0)
    prices = [pl.when(~quiet).then(name).alias(name) for name in ("open", "high", "low", "close")]
    sums = [pl.when(~quiet).then(name).otherwise(0).alias(name) for name in ("volume", "notional", "n_trades")]
    return candles.with_columns(*prices, *sums)


@cache
def days():
    """By set: what rows are made of, and the rows; the book is not known in GAP."""
    samples = invalid(random_samples(1_500, 11), GAP.start + 60, 20)
    candles = minutes(samples)
    made = {name: Day(samples[60:], samples[:60], candles, PAIR, chosen) for name, chosen in LEGACY_SETS.items()}
    return {name: (day, build(day)) for name, day in made.items()}


def bars(candles, ts):
    """The known candles that closed by a time as dictionaries in currency, quiet ones at the price before."""
    found = []
    close = None
    for row in candles.filter(pl.col("ts") <= ts).iter_rows(named=True):
        if row["close"] is None:
            prices = dict.fromkeys(("open", "high", "low", "close"), close)
        else:
            prices = {name: row[name] / 10.0**PAIR.price_decimals for name in ("open", "high", "low", "close")}
        close = prices["close"]
        found.append(prices | {"volume": row["volume"] / 10.0**PAIR.size_decimals})
    return found


def flat(rows):
    """Candles in which nothing moves and nobody trades after the first."""
    still = np.full(rows, 100)
    return pl.DataFrame({"ts": np.arange(1, rows + 1) * MINUTE}).with_columns(
        *(pl.Series(name, still) for name in ("open", "high", "low", "close")),
        *(pl.lit(0, pl.Int64).alias(name) for name in ("volume", "notional", "n_trades", "buy_volume")),
        reason=pl.lit(None, pl.String),
    )
