"""Intervals of candles without a hole, as arrays.

Here: from the table `candles` to arrays in whole currency units, cut where a candle is not known.
Not here: what is computed of them (`ml.features.candle`, `ml.labels.targets`), which candles there are
(`ml.candles.from_trades`).

A quiet candle, in which nobody traded, stands at the last traded price with volume 0, as in the venues' own candles:
that is known. A candle that is not known ends an interval: nothing reaches over it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.candles.from_trades import PRICES
from ml.core.errors import DatasetError
from ml.core.instruments import Instrument

F64 = NDArray[np.float64]


class Bars(NamedTuple):
    """Candles that follow each other: close time in ns UTC; prices, volume and turnover in whole currency units."""

    ts: NDArray[np.int64]
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    turnover: F64

    @property
    def typical(self) -> F64:
        """(high + low + close) / 3."""
        return (self.high + self.low + self.close) / 3.0


class KnownInterval(NamedTuple):
    """Candles that follow each other, and the rows of the frame in which they stand."""

    rows: slice
    bars: Bars


def intervals_of(candles: pl.DataFrame, instrument: Instrument, step: int) -> Iterator[KnownInterval]:
    """The intervals of known candles, in order.

    Args:
        candles: columns of the table `candles`, ascending by `ts`; a missing row is a hole like an unknown one.
        instrument: decimals of prices and sizes.
        step: length of a candle, ns.

    Raises:
        DatasetError: times are off the grid, repeat or go back.
    """
    ts = candles["ts"].to_numpy()
    _check(ts, step, instrument)
    columns = _columns(candles, instrument)
    known = ~np.isnan(columns["close"])
    follows = np.append(False, (np.diff(ts) == step) & known[:-1] & known[1:]) if ts.size else known
    starts = np.flatnonzero(known & ~follows)
    ends = np.flatnonzero(known & ~np.append(follows[1:], False)) + 1
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        rows = slice(start, end)
        yield KnownInterval(rows, Bars(ts[rows], *(columns[name][rows] for name in Bars._fields[1:])))


def _check(ts: NDArray[np.int64], step: int, instrument: Instrument) -> None:
    off = np.flatnonzero(ts % step)
    if off.size:
        raise DatasetError(
            f"candles of {instrument.id}: {off.size} of {ts.size} times are off the grid of {step // 10**9} s (first "
            f"{ts[off[0]]}). Resample the candles with ml.candles.from_trades.resample."
        )
    late = np.flatnonzero(np.diff(ts) <= 0)
    if late.size:
        raise DatasetError(
            f"candles of {instrument.id}: {late.size} of {ts.size} times are not ascending (first {ts[late[0] + 1]}). "
            "Sort the candles by ts and remove duplicates."
        )


def _columns(candles: pl.DataFrame, instrument: Instrument) -> dict[str, F64]:
    """Prices, volume and turnover; NaN where a candle is not known or no price was seen yet."""
    price = 10.0**instrument.price_decimals
    size = 10.0**instrument.size_decimals
    priced = _priced(candles)
    columns = {name: priced[name].to_numpy() / price for name in PRICES}
    volume = priced["volume"].to_numpy()
    notional = priced["notional"].to_numpy()
    return columns | {"volume": volume / size, "turnover": notional / (price * size)}


def _priced(candles: pl.DataFrame) -> pl.DataFrame:
    """The candles, quiet ones without a price at the last traded price."""
    quiet = candles["reason"].is_null() & candles["close"].is_null()
    if not quiet.any():
        return candles
    # of the interval alone: a candle that is not known interrupts it
    stretch = pl.col("reason").is_not_null().cum_sum()
    last = pl.col("close").forward_fill().over(stretch)
    return candles.with_columns(pl.when(quiet).then(last).otherwise(name).alias(name) for name in PRICES)
