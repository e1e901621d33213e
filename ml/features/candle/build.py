"""Candles to the rows of `unified_240`: the same for months in batch and for the newest candle.

Here: the computation family by family, the null policy.
Not here: the formulas (by family), where candles come from (`ml.candles.months`).
"""

import numpy as np
import polars as pl

from ml.candles.bars import F64, Bars, intervals_of
from ml.core.instruments import Instrument
from ml.features.candle import bands, calendar, consensus, oscillators, price, ranges, risk, timeframes, volumes
from ml.features.candle.columns import FAMILIES, STEP
from ml.features.candle.table import UNIFIED
from ml.tables.schemas import NullReason

COMPUTED = (price, oscillators, bands, volumes, ranges, risk, calendar, timeframes, consensus)
"""The families' modules, in the order of `FAMILIES`."""


def build(candles: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """A row a candle: its close time, the 240 features, a null reason per family.

    Args:
        candles: columns of the table `candles` of 15 minutes, ascending by `ts`; look-back and more before the rows
            that are wanted (`UNIFIED.look_back`).
        instrument: decimals of prices and sizes.

    Raises:
        DatasetError: times are off the grid, repeat or go back.
    """
    values = np.empty((len(UNIFIED.names), candles.height))
    known = 0
    reasons = {family: np.full(candles.height, NullReason.NO_CANDLE, np.uint8) for family in FAMILIES}
    for rows, bars in intervals_of(candles, instrument, STEP):
        values[:, known : rows.start] = np.nan
        known = rows.stop
        broken = compute(bars, values[:, rows])
        _explain(values[:, rows], broken, {family: codes[rows] for family, codes in reasons.items()})
    values[:, known:] = np.nan
    # nulls are looked for in all columns at once: one by one takes twice as long
    flat = pl.Series(values.reshape(-1), nan_to_null=True)
    height = candles.height
    features = (flat.slice(k * height, height).alias(name) for k, name in enumerate(UNIFIED.names))
    named = [pl.Series(f"null_reason_{name}", codes) for name, codes in reasons.items()]
    return pl.DataFrame([candles["ts"], *features, *named])


def compute(bars: Bars, out: F64) -> set[str]:
    """Every column of one interval into `out`, f64 (240, rows): NaN while it warms up and where it has no value.

    Returns the columns that have no value in some row after their warm-up.
    """
    done = dict(zip(UNIFIED.names, out, strict=True))
    needs = {column.id: column.needs for column in UNIFIED.columns}
    broken = set[str]()
    # a formula that divides by nothing has no value: NaN here, null in the table
    with np.errstate(all="ignore"):
        for family in COMPUTED:
            for name, column in family.compute(bars, done).items():
                known = np.isfinite(column)
                done[name][:] = np.where(known, column, np.nan)
                done[name][: needs[name] - 1] = np.nan
                if not known[needs[name] - 1 :].all():
                    broken.add(name)
    return broken


def _explain(values: F64, broken: set[str], reasons: dict[str, np.ndarray]) -> None:
    """Per family, why a value of a row is null: `warm_up` where one still warms up, else `undefined`."""
    needs = dict.fromkeys(reasons, 0)
    for codes in reasons.values():
        codes[:] = NullReason.NONE
    for column, family, row in zip(UNIFIED.columns, UNIFIED.families, values, strict=True):
        needs[family] = max(needs[family], column.needs)
        if column.id in broken:
            reasons[family][np.isnan(row)] = NullReason.UNDEFINED
    for family, codes in reasons.items():
        codes[: needs[family] - 1] = NullReason.WARM_UP
