"""Samples and candles to rows of `legacy_110` and `legacy_112`: the same for a stored day and for the newest sample.

Here: the table, the null policy.
Not here: the formulas (`book`, `candles`, `indicators`), what the columns are (`table`).

Columns of the book are null where it is not known, is one-sided or stale, and until the samples that they compare lie
in one interval with a known book. Columns of candles are those of the last minute that closed; where that minute, or
one
of the minutes behind it, is not known, they are null. What is unavailable is null in every row, for no reason of a row:
the table says why.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from ml.candles.bars import F64, Bars, intervals_of
from ml.core.instruments import Instrument
from ml.core.time import MINUTE
from ml.features.candle.series import Columns
from ml.features.legacy import book
from ml.features.legacy.candles import compute as of_candles
from ml.features.legacy.feature import FAMILIES
from ml.features.legacy.indicators import compute as of_indicators
from ml.features.legacy.table import ABSENT, BEGUN, LEGACY_112
from ml.features.sets import FeatureSet
from ml.market.book import layout as at
from ml.market.book.layout import I64
from ml.tables.schemas import NullReason

KNOWN = np.uint8(255)
"""Above every reason, so that the least of a family's is its first."""


class Day(NamedTuple):
    """What rows are made of.

    Args:
        samples: i64 (n, columns), a second apart.
        tail: those before them; a minute is enough.
        candles: columns of the table `candles` of one minute, ascending by `ts`, `BEGUN[chosen.name]` and more before
            the first sample.
        instrument: decimals of prices and sizes.
        chosen: one of `ml.features.legacy.table.LEGACY_SETS`.
    """

    samples: I64
    tail: I64
    candles: pl.DataFrame
    instrument: Instrument
    chosen: FeatureSet = LEGACY_112


def build(day: Day) -> pl.DataFrame:
    """A row a sample: its time, the columns of the set in their order, f64, and a null reason per family, u8.

    Raises:
        DatasetError: times of candles are off the grid, repeat or go back.
    """
    rows = len(day.samples)
    found = dict[str, F64]()
    for name, column in book.compute(np.concatenate([day.tail, day.samples]), day.instrument).items():
        found[name] = column[len(day.tail) :]
    run, minutes = _minutes(day)
    found |= minutes
    by_minute = np.where(run == 0, NullReason.NO_CANDLE, NullReason.NONE), 60 * run
    by_sample = _unknown_book(day.samples, day.instrument.stale_ns), day.samples[:, at.RUN]
    known = {"orderbook": by_sample, "candle": by_minute, "indicator": by_minute}
    columns = dict[str, pl.Series]()
    reasons = {family: np.full(rows, KNOWN) for family in FAMILIES}
    for feature in day.chosen.features:
        values = found.get(feature.id, np.full(rows, np.nan))
        codes = _codes(values, *known[feature.family], feature.needs)
        if feature.trades:
            unseen = (day.samples[:, at.TRADES_RUN] < feature.needs) & (codes > NullReason.WARM_UP)
            codes[unseen & (codes != NullReason.STALE)] = NullReason.NO_TRADES_CAPTURED
        columns[feature.id] = pl.Series(np.where(codes == KNOWN, values, np.nan), nan_to_null=True)
        if feature.id not in ABSENT:
            reasons[feature.family] = np.minimum(reasons[feature.family], codes)
    named = {f"null_reason_{name}": np.where(codes == KNOWN, 0, codes) for name, codes in reasons.items()}
    return pl.DataFrame({"ts": day.samples[:, at.TS]} | columns | named)


def _minutes(day: Day) -> tuple[I64, Columns]:
    """Of the minute that closed last at each sample: how many known ones end with it, and its columns."""
    closes = day.candles["ts"].to_numpy()
    run = np.zeros(closes.size + 1, np.int64)
    found = dict[str, F64]()
    for rows, bars in intervals_of(day.candles, day.instrument, MINUTE):
        run[rows] = np.arange(1, bars.ts.size + 1)
        for name, column in _columns(bars, day.chosen).items():
            found.setdefault(name, np.full(closes.size + 1, np.nan))[rows] = column
    wanted = day.samples[:, at.TS] // MINUTE * MINUTE
    row = np.searchsorted(closes, wanted)
    # the last place is that of no candle
    row = np.where(np.append(closes, -1)[row] == wanted, row, closes.size)
    return run[row], {name: column[row] for name, column in found.items()}


def _columns(bars: Bars, chosen: FeatureSet) -> Columns:
    smooth = chosen.name == LEGACY_112.name
    return of_candles(bars) | of_indicators(bars, BEGUN[chosen.name], smooth)


def _unknown_book(samples: I64, stale_ns: int) -> np.ndarray:
    stale = np.where(samples[:, at.BOOK_AGE] > stale_ns, NullReason.STALE, NullReason.NONE)
    one_sided = (samples[:, at.BID_PRICE] > 0) != (samples[:, at.ASK_PRICE] > 0)
    broken = np.where(one_sided, NullReason.ONE_SIDED, NullReason.INVALID_BOOK)
    return np.where(samples[:, at.VALID] == 0, broken, stale)


def _codes(values: F64, unknown: np.ndarray, run: I64, needs: int) -> np.ndarray:
    """Why each value is null, u8; KNOWN where it is not."""
    late = np.where(run < needs, NullReason.WARM_UP, np.where(np.isfinite(values), KNOWN, NullReason.UNDEFINED))
    return np.where(unknown > 0, unknown, late).astype(np.uint8)
