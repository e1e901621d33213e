"""Leak canaries for sets of candle features: code that sees the future, or needs more past than it says, fails.

Here: truncation and trailing window in one, future scramble, planted leak.
Not here: canaries over samples of the book (`ml.evaluation.canaries.model`).
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from ml.candles.from_trades import PRICES
from ml.core.instruments import Instrument
from ml.evaluation.canaries.model import TIMES, Canary
from ml.features.candle.sets import CandleSet

Code = Callable[[pl.DataFrame, Instrument], pl.DataFrame]
"""Computes the rows of a set from candles, a row a candle."""
TOLERANCE = 1e-9
AHEAD = 10


def run(
    candles: pl.DataFrame, instrument: Instrument, rows: pl.DataFrame, code: Code, columns: CandleSet
) -> list[Canary]:
    """All canaries on candles and on the rows that the code made of them."""
    return [
        truncation(candles, instrument, rows, code, columns),
        future_scramble(candles, instrument, rows, code, columns),
        planted_leak(candles, instrument, rows, code, columns),
    ]


def truncation(
    candles: pl.DataFrame,
    instrument: Instrument,
    rows: pl.DataFrame,
    code: Code,
    columns: CandleSet,
    times: int = TIMES,
    seed: int = 1,
) -> Canary:
    """At random times, the candles up to then, as many as the set looks back, give the row that all candles give."""
    at = _times(rows, times, seed)
    changed = 0
    sizes = _values(rows, columns)[1]
    for i in at:
        alone = code(candles[max(i + 1 - columns.look_back, 0) : i + 1], instrument)[-1]
        # with fewer candles than the longest look-back both are null together
        changed += not _same(_values(alone, columns)[0], _values(rows[i], columns)[0], sizes)
    return Canary("truncation", changed == 0, changed, 0, f"of {len(at)} rows change when the other rows are cut off")


def future_scramble(
    candles: pl.DataFrame, instrument: Instrument, rows: pl.DataFrame, code: Code, columns: CandleSet, seed: int = 1
) -> Canary:
    """Shuffled and doubled prices after a time change no row up to it, bit for bit."""
    changed = checked = 0
    for cut in _times(rows, 5, seed):
        after = candles[cut + 1 :].select(pl.exclude("ts"))
        noise = after.sample(fraction=1.0, shuffle=True, seed=seed).with_columns(pl.col(PRICES) * 2)
        scrambled = pl.concat([candles[: cut + 1], candles[cut + 1 :].select("ts").hstack(noise)])
        first = max(cut + 1 - columns.look_back, 0)
        found = code(scrambled[first:], instrument)[: cut + 1 - first]
        alone = code(candles[first : cut + 1], instrument)
        checked += found.height
        changed += int((~_equal_rows(found, alone)).sum())
    return Canary("future_scramble", changed == 0, changed, 0, f"of {checked} rows change when later rows change")


def planted_leak(
    candles: pl.DataFrame, instrument: Instrument, rows: pl.DataFrame, code: Code, columns: CandleSet, seed: int = 1
) -> Canary:
    """The same features of prices ten candles ahead must be caught by the truncation, where rows have values at all."""

    def leaking(source: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
        ahead = source.with_columns(pl.col(PRICES).shift(-AHEAD).fill_null(pl.col(PRICES)))
        return code(ahead, instrument)

    caught = truncation(candles, instrument, leaking(candles, instrument), leaking, columns, 10, seed)
    missed = int(caught.passed and _known(rows).size > AHEAD)
    return Canary("planted_leak", missed == 0, missed, 0, f"planted leaks missed; {caught.value:.0f} rows revealed it")


def _known(rows: pl.DataFrame) -> np.ndarray:
    """Positions of rows in which a feature has a value."""
    names = [name for name in rows.columns if name != "ts" and not name.startswith("null_reason")]
    return rows.select(pl.any_horizontal(pl.col(names).is_not_null())).to_series().arg_true().to_numpy()


def _times(rows: pl.DataFrame, count: int, seed: int) -> list[int]:
    """Random rows, those with values where there are any."""
    known = _known(rows)
    pool = known if known.size else np.arange(rows.height)
    return sorted(np.random.default_rng(seed).choice(pool, min(count, pool.size), replace=False).tolist())


def _values(rows: pl.DataFrame, columns: CandleSet) -> tuple[np.ndarray, np.ndarray]:
    """Values f64 (rows, columns), NaN for null, and the largest of each column."""
    values = rows.select(pl.col(columns.names).fill_null(float("nan"))).to_numpy()
    sizes = rows.select(pl.col(columns.names).abs().max().fill_null(0.0)).to_numpy()
    return values, sizes


def _same(found: np.ndarray, wanted: np.ndarray, sizes: np.ndarray) -> bool:
    both = np.isnan(found) == np.isnan(wanted)
    return bool(both.all()) and not bool((np.abs(found - wanted) > TOLERANCE * sizes).any())


def _equal_rows(one: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    return pl.select(pl.all_horizontal(one[name].eq_missing(other[name]) for name in one.columns)).to_series()
