"""The sets `legacy_110` and `legacy_112`: the columns of the predecessor's arrays in their order, and what is wrong.

Here: the two sets.
Not here: the columns (`book_columns`, `candle_columns`), the computation (`build`), migrated files (`ml.legacy`).

The faults are kept where a model was trained on them: prices that tell a year from another, columns that stand twice,
windows that are one candle short. What depended on the predecessor's process, when it began or how often its loop ran,
has no value of its own: such a column is null, or the textbook's form where the predecessor's was a step towards it.
The arrays of 112 columns came with smoothed forms of eight indicators that those of 110 have as plain means.
"""

from ml.features.legacy.book_columns import ORDERBOOK
from ml.features.legacy.candle_columns import CANDLES, aroon, bands, momentum, trend
from ml.features.sets import FeatureSet

ABSENT = frozenset(column.id for column in (*ORDERBOOK, *CANDLES, *bands(1)) if column.absent)
"""What is unavailable of samples and candles."""
BEGUN = {"legacy_110": 200, "legacy_112": 100}
"""Candles back at which recursive averages begin: as many as the predecessor kept."""


def _set(name: str, smooth: bool) -> FeatureSet:
    n = BEGUN[name]
    columns = (*ORDERBOOK, *CANDLES, *trend(smooth, n), *momentum(smooth, n), *bands(n))
    return FeatureSet(name, (*columns, *aroon()) if smooth else columns)


LEGACY_110 = _set("legacy_110", smooth=False)
"""Arrays until October 2025: `feature_000` to `feature_109`."""
LEGACY_112 = _set("legacy_112", smooth=True)
"""Arrays from November 2025 on: `feature_000` to `feature_111`."""
LEGACY_SETS = {chosen.name: chosen for chosen in (LEGACY_110, LEGACY_112)}
