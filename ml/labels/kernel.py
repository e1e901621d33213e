"""The label loop, compiled: one pass over the samples per horizon.

Here: movement, trailing volatility, age of the book at the target and the null reason.
Not here: classes (`ml.labels.future`).
"""

from math import nan, sqrt

from ml.market import layout as at
from ml.market.compiled import hot
from ml.schemas import NullReason

SIGMA_ROWS, SIGMA_MIN = 1800, 60
INVALID_BOOK, ONE_SIDED = int(NullReason.INVALID_BOOK), int(NullReason.ONE_SIDED)
HORIZON_INVALID, DAY_END, CAPTURE_END = (
    int(NullReason.HORIZON_INVALID),
    int(NullReason.DAY_END),
    int(NullReason.CAPTURE_END),
)


@hot
def future_rows(samples, first, horizon, day_end, movement, sigma, age, reason):  # type: ignore[no-untyped-def]
    """Labels of the samples from `first` on, which stand one second apart.

    movement f64: mid(t + h) / mid(t) - 1. sigma f64: sqrt(h mean((mid_k - mid_k-1)^2)) / mid(t) over up to 1 800 valid
    samples before t, at least 60, else NaN; sums of int64, so that a gap elsewhere changes nothing. age i64: ns since
    the book's last change at t + h, -1 if null. reason u8.
    """
    n = samples.shape[0]
    squares, start = 0, 0
    for i in range(n):
        # the window of changes (start, i]: valid samples only, 1 800 at most
        if samples[i, at.RUN] == 0 or i == 0:
            squares, start = 0, i
        else:
            squares += _square(samples, i)
            while i - start > min(SIGMA_ROWS, samples[i, at.RUN]):
                start += 1
                squares -= _square(samples, start)
        k = i - first
        if k < 0:
            continue
        movement[k], sigma[k], age[k], reason[k] = nan, nan, -1, 0
        if samples[i, at.VALID] == 0:
            one_sided = (samples[i, at.BID_PRICE] > 0) != (samples[i, at.ASK_PRICE] > 0)
            reason[k] = ONE_SIDED if one_sided else INVALID_BOOK
            continue
        twice_mid = samples[i, at.BID_PRICE] + samples[i, at.ASK_PRICE]
        if i - start >= SIGMA_MIN:
            sigma[k] = sqrt(horizon * (squares / (i - start))) / twice_mid
        if samples[i, at.TS] + horizon * at.SECOND > day_end:
            reason[k] = DAY_END
        elif i + horizon >= n:
            reason[k] = CAPTURE_END
        elif samples[i + horizon, at.RUN] < horizon:
            reason[k] = HORIZON_INVALID
        else:
            movement[k] = (samples[i + horizon, at.BID_PRICE] + samples[i + horizon, at.ASK_PRICE]) / twice_mid - 1.0
            age[k] = samples[i + horizon, at.BOOK_AGE]


@hot
def _square(samples, i):  # type: ignore[no-untyped-def]
    """Squared change of twice the mid from sample i - 1 to i, in price units squared."""
    now = samples[i, at.BID_PRICE] + samples[i, at.ASK_PRICE]
    before = samples[i - 1, at.BID_PRICE] + samples[i - 1, at.ASK_PRICE]
    return (now - before) * (now - before)
