"""One feature row: all features of the table for one sample, compiled as one function.

Here: the order of computation, which is the table's, and the null policy.
Not here: the formulas (by family); a test holds each line against the table.
"""

from math import isnan, nan

import numpy as np

from ml.features import order_book as ob
from ml.features import order_flow as of
from ml.features import trade_flow as tf
from ml.features.table import FAMILIES, FEATURES, STALE_NS
from ml.market import layout as at
from ml.market.compiled import hot
from ml.schemas import NullReason

NEEDS = np.array([feature.needs for feature in FEATURES])
FAMILY = np.array([FAMILIES.index(feature.family) for feature in FEATURES])
INVALID_BOOK, ONE_SIDED = int(NullReason.INVALID_BOOK), int(NullReason.ONE_SIDED)
WARM_UP, STALE, UNDEFINED = int(NullReason.WARM_UP), int(NullReason.STALE), int(NullReason.UNDEFINED)


@hot
def feature_row(samples, i, tick, scratch, values, reasons):  # type: ignore[no-untyped-def]
    """Write the features of sample i (f64, NaN where null) and each family's null reason (u8).

    `samples` i64 (n, columns) must reach back as far as the windows and the samples do; `scratch` i64 (3 600).
    """
    for family in range(reasons.size):
        reasons[family] = 0
    whole = WARM_UP if samples[i, at.BOOK_AGE] <= STALE_NS else STALE
    if samples[i, at.VALID] == 0:
        whole = ONE_SIDED if (samples[i, at.BID_PRICE] > 0) != (samples[i, at.ASK_PRICE] > 0) else INVALID_BOOK
    if whole == WARM_UP:
        _compute(samples, i, tick, ob.size_scale(samples, i, scratch), values)
    for f in range(values.size):
        reason = 0
        if whole != WARM_UP:
            reason = whole
        elif samples[i, at.RUN] < NEEDS[f]:
            reason = WARM_UP
        elif isnan(values[f]):
            reason = UNDEFINED
        if reason > 0:
            values[f] = nan
            before = reasons[FAMILY[f]]
            reasons[FAMILY[f]] = reason if before == 0 else min(before, reason)


@hot
def _compute(samples, i, tick, scale, out):  # type: ignore[no-untyped-def]
    out[0] = ob.spread_ticks(samples, i, tick)
    out[1] = ob.spread_bps(samples, i)
    out[2] = ob.micro_dev_bps(samples, i)
    out[3] = ob.vwmid_dev_bps(samples, i, 5)
    out[4] = ob.queue_imbalance(samples, i, 1)
    out[5] = ob.queue_imbalance(samples, i, 3)
    out[6] = ob.queue_imbalance(samples, i, 5)
    out[7] = ob.queue_imbalance(samples, i, 10)
    out[8] = ob.depth(samples, i, at.BID_SIZE, scale)
    out[9] = ob.depth(samples, i, at.ASK_SIZE, scale)
    out[10] = ob.slope(samples, i, at.BID_PRICE, at.BID_SIZE)
    out[11] = ob.slope(samples, i, at.ASK_PRICE, at.ASK_SIZE)
    out[12] = ob.gap_ticks(samples, i, at.BID_PRICE, tick)
    out[13] = ob.gap_ticks(samples, i, at.ASK_PRICE, tick)
    out[14] = ob.concentration(samples, i, at.BID_SIZE)
    out[15] = ob.concentration(samples, i, at.ASK_SIZE)
    out[16] = of.imbalance(samples, i, 1, 1, scale)
    out[17] = of.imbalance(samples, i, 5, 1, scale)
    out[18] = of.imbalance(samples, i, 30, 1, scale)
    out[19] = of.imbalance(samples, i, 1, 5, scale)
    out[20] = of.imbalance(samples, i, 5, 5, scale)
    out[21] = of.imbalance(samples, i, 30, 5, scale)
    out[22] = of.net_imbalance(samples, i, 1)
    out[23] = of.net_imbalance(samples, i, 5)
    out[24] = of.net_imbalance(samples, i, 30)
    out[25] = of.cancel_imbalance(samples, i, 5)
    out[26] = of.cancel_imbalance(samples, i, 30)
    out[27] = of.update_rate(samples, i, 5)
    out[28] = tf.signed_imbalance(samples, i, 5, at.TRADE_VOLUME)
    out[29] = tf.signed_imbalance(samples, i, 30, at.TRADE_VOLUME)
    out[30] = tf.signed_imbalance(samples, i, 60, at.TRADE_VOLUME)
    out[31] = tf.signed_imbalance(samples, i, 5, at.TRADE_COUNT)
    out[32] = tf.signed_imbalance(samples, i, 30, at.TRADE_COUNT)
    out[33] = tf.trade_rate(samples, i, 5)
    out[34] = tf.trade_rate(samples, i, 30)


@hot
def feature_rows(samples, first, last, tick, scratch, values, reasons):  # type: ignore[no-untyped-def]
    """`feature_row` for samples first to last, into `values` and `reasons` from row 0 on."""
    for i in range(first, last):
        feature_row(samples, i, tick, scratch, values[i - first], reasons[i - first])
