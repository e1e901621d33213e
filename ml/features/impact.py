"""Impact: what prints cost, how they moved the price, how one-sided they came.

Here: compiled functions of the windows, after the papers that they name.
Add here: a function, its line in `ml.features.trade_flow.fill` and in `ml.features.table`, and its oracle.
Not here: how much was traded (`trade_flow`).
"""

from math import sqrt

from ml.features import windows as of
from ml.features.windows import BUCKETS, HOUR_ROWS, total
from ml.market.compiled import hot

SPAN = 60


@hot
def price_impact(windows, scale):  # type: ignore[no-untyped-def]
    """Kyle's lambda and Amihud's ratio over 60 s: bps per root of S, and bps per S.

    Kyle (1985), Hasbrouck (2009): slope of one-second returns on the signed root of net volume, least squares; 0 where
    net volume does not vary. Amihud (2002): mean of |return| over volume, over the seconds with prints; 0 without any.
    """
    end, x_mean, y_mean, cost, traded = windows.meta[of.COUNT], 0.0, 0.0, 0.0, 0
    first = max(end - SPAN, 0)
    for k in range(first, end):
        x_mean += windows.moves[of.ROOT, k]
        y_mean += windows.moves[of.CHANGE, k]
        cost += windows.moves[of.COST, k]
        traded += windows.series[of.PRINT, k] > 0
    x_mean, y_mean = x_mean / (end - first), y_mean / (end - first)
    xx = xy = size = 0.0
    for k in range(first, end):
        x = windows.moves[of.ROOT, k] - x_mean
        xx += x * x
        xy += x * (windows.moves[of.CHANGE, k] - y_mean)
        size += windows.moves[of.ROOT, k] * windows.moves[of.ROOT, k]
    kyle = xy / xx * sqrt(scale) if xx > 1e-12 * size else 0.0
    return kyle, (cost / traded * scale if traded > 0 else 0.0)


@hot
def roll_spread(windows):  # type: ignore[no-untyped-def]
    """Roll (1984): 2 root(-covariance of successive price changes) over the mid in bps, prints of 60 s.

    Of each second with prints the last counts. 0 where the covariance is not negative, or below three such seconds.
    """
    end, last, change, seconds = windows.meta[of.COUNT], 0, 0, 0
    products = earlier = later = 0.0
    for k in range(max(end - SPAN, 0), end):
        price = windows.series[of.PRINT, k]
        if price == 0:
            continue
        seconds += 1
        if seconds >= 3:
            products += float(change) * (price - last)
            earlier += change
            later += price - last
        change, last = price - last, price
    pairs = seconds - 2
    if pairs < 1:
        return 0.0
    covariance = products / pairs - earlier / pairs * (later / pairs)
    mid = windows.series[of.MID, end - 1] / 2
    return 2e4 * sqrt(max(-covariance, 0.0)) / mid


@hot
def effective_spread(windows, span):  # type: ignore[no-untyped-def]
    """2 |price - mid| weighted by size over the mean price of a window, in bps; 0 where nothing traded.

    The mid is that just before each print.
    """
    notional = total(windows, span, of.NOTIONAL)
    return 1e4 * total(windows, span, of.SPREAD_NOTIONAL) / notional if notional > 0 else 0.0


@hot
def vpin(windows):  # type: ignore[no-untyped-def]
    """Volume-synchronised probability of informed trading; Easley, Lopez de Prado, O'Hara (2012). 0 without volume.

    Up to an hour's volume in 50 equal buckets: mean of |bought - sold| over the bucket's volume, by aggressor instead of
    by price changes. A second that lies in two buckets is divided in proportion.
    """
    end = windows.meta[of.COUNT]
    start = max(end - min(windows.meta[of.RUN], HOUR_ROWS), 0)
    running, bought = windows.series[of.VOLUME], windows.series[of.BOUGHT]
    whole = running[end] - running[start]
    if whole == 0:
        return 0.0
    before, one_sided = 0.0, 0.0
    for bucket in range(1, BUCKETS + 1):
        k = _edge(windows, bucket, start, end, bucket * whole)
        beyond = bucket * whole / BUCKETS - (running[k] - running[start])
        share = beyond / (running[k + 1] - running[k]) if k < end else 0.0
        until = bought[k] - bought[start] + (share * (bought[k + 1] - bought[k]) if k < end else 0.0)
        one_sided += abs(2 * (until - before) - whole / BUCKETS)
        before = until
    return one_sided / whole


@hot
def _edge(windows, bucket, start, end, target):  # type: ignore[no-untyped-def]
    """The last row boundary at or before which 1/50 of the target was traded; the search begins where it last ended."""
    running, k = windows.series[of.VOLUME], min(max(windows.edges[bucket], start), end)
    while k < end and BUCKETS * (running[k + 1] - running[start]) <= target:
        k += 1
    while k > start and BUCKETS * (running[k] - running[start]) > target:
        k -= 1
    windows.edges[bucket] = k
    return k
