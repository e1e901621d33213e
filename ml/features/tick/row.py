"""One feature row: all features of the table for one sample, compiled as one function.

Here: the order of families, which is the table's, and the null policy.
Not here: the formulas (by family), what windows hold (`ml.features.tick.windows`).
"""

from math import isnan, nan

import numpy as np

from ml.features.tick import context, impact, order_book, order_flow, price, trade_flow
from ml.features.tick.median import middle
from ml.features.tick.table import FAMILIES, FEATURES
from ml.features.tick.windows import COUNT, forget, known_rows, push, usual
from ml.market.book import layout as at
from ml.market.book.compiled import njit_no_alloc
from ml.tables.schemas import NullReason

NEEDS = np.array([feature.needs for feature in FEATURES])
NEEDS_TRADES = np.array([max(feature.needs, 1) if feature.trades else 0 for feature in FEATURES])
FAMILY = np.array([FAMILIES.index(feature.family) for feature in FEATURES])
FIRST = tuple(int(np.flatnonzero(k == FAMILY)[0]) for k in range(len(FAMILIES)))
BOOK, FLOW, TRADES, PRICE, CANDLES, CONTEXT = FIRST
INVALID_BOOK = int(NullReason.INVALID_BOOK)
ONE_SIDED = int(NullReason.ONE_SIDED)
NO_TRADES = int(NullReason.NO_TRADES_CAPTURED)
WARM_UP = int(NullReason.WARM_UP)
STALE = int(NullReason.STALE)
UNDEFINED = int(NullReason.UNDEFINED)
SCALE_MIN = 60
IMPACT = 13
"""Where among the trades those of `ml.features.tick.impact` begin."""


@njit_no_alloc
def feature_row(windows, row, tick, stale_ns, values, codes):  # type: ignore[no-untyped-def]
    """Write the features of the sample that was pushed last: f64, NaN where null, and why, a u8 a feature.

    All are null once the book is older than `stale_ns`, whether or not a later message shows that it was only quiet.
    """
    whole = WARM_UP if row[at.BOOK_AGE] <= stale_ns else STALE
    if row[at.VALID] == 0:
        whole = ONE_SIDED if (row[at.BID_PRICE] > 0) != (row[at.ASK_PRICE] > 0) else INVALID_BOOK
    if whole == WARM_UP:
        _compute(windows, row, tick, values)
    for f in range(values.size):
        code = 0
        if whole != WARM_UP:
            code = whole
        elif row[at.RUN] < NEEDS[f]:
            code = WARM_UP
        elif row[at.TRADES_RUN] < NEEDS_TRADES[f]:
            code = NO_TRADES
        elif isnan(values[f]):
            code = UNDEFINED
        codes[f] = code
        if code > 0:
            values[f] = nan


@njit_no_alloc
def family_reasons(codes, reasons):  # type: ignore[no-untyped-def]
    """The first reason that holds for a feature of each family, u8; 0 where all have a value."""
    for family in range(reasons.size):
        reasons[family] = 0
    for f in range(codes.size):
        before = reasons[FAMILY[f]]
        if codes[f] > 0 and (before == 0 or codes[f] < before):
            reasons[FAMILY[f]] = codes[f]


@njit_no_alloc
def _compute(windows, row, tick, out):  # type: ignore[no-untyped-def]
    scale = middle(windows.sizes) if windows.sizes.meta[0] >= 2 * SCALE_MIN else nan
    order_book.fill(row, tick, scale, windows.near, out[BOOK:FLOW])
    end = windows.meta[COUNT]
    traded = usual(windows)
    order_flow.fill(windows.sums, end, known_rows(windows), traded, scale, out[FLOW:TRADES])
    trade_flow.fill(windows.sums, end, traded, out[TRADES:PRICE])
    impact.fill(windows, scale, out[TRADES + IMPACT : PRICE])
    price.fill(windows.sums, windows.series, end, row, out[PRICE:CANDLES])
    for k in range(windows.minutes.values.size):
        out[CANDLES + k] = windows.minutes.values[k]
    context.fill(row, out[CONTEXT:])


@njit_no_alloc
def feature_rows(windows, samples, first, tick, stale_ns, codes, values, reasons):  # type: ignore[no-untyped-def]
    """The rows of samples from `first` on, into `values` and `reasons` from row 0 on; those before are looked back on.

    `samples` i64 (n, columns), `windows` new, `codes` u8 (features) is scratch.
    """
    for i in range(samples.shape[0]):
        push(windows, samples[i])
        if i >= first:
            feature_row(windows, samples[i], tick, stale_ns, values[i - first], codes)
            family_reasons(codes, reasons[i - first])


@njit_no_alloc
def look_back(windows, samples, i):  # type: ignore[no-untyped-def]
    """Begin again with the hour of samples up to and with sample i."""
    forget(windows)
    for k in range(max(i - at.TAIL + 1, 0), i + 1):
        push(windows, samples[k])
