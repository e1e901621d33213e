"""Impact: what prints cost, how they moved the price, how one-sided they came.

Here: compiled functions of what is kept per second, after the papers that they name.
Add here: a function, its line in `fill` and in `ml.features.table`, and its oracle.
Not here: how much was traded (`trade_flow`).
"""

from math import sqrt

from ml.features import windows as of
from ml.features.windows import BUCKETS, HOUR_ROWS
from ml.market.compiled import hot, inlined

SPAN = 60


@inlined
def fill(windows, scale, out):  # type: ignore[no-untyped-def]
    """Write the six features in the table's order; `scale` is S."""
    series, end = windows.series, windows.meta[of.COUNT]
    now, before30 = windows.sums[end], windows.sums[max(end - 30, 0)]
    out[0] = largest_share(series, end)
    out[1] = vpin(series, end, min(windows.meta[of.TRADES_RUN], HOUR_ROWS), windows.edges)
    out[2], out[3] = price_impact(series, windows.moves, end, scale)
    out[4] = roll_spread(series, end)
    notional = now[of.NOTIONAL] - before30[of.NOTIONAL]
    paid = now[of.SPREAD_NOTIONAL] - before30[of.SPREAD_NOTIONAL]
    out[5] = 1e4 * paid / notional if notional > 0 else 0.0


@hot
def largest_share(series, end):  # type: ignore[no-untyped-def]
    """The largest print over the volume of 60 s, 0 to 1; 0 where nothing traded."""
    first, largest = max(end - SPAN, 0), 0
    prints = series[of.LARGEST, first:end]
    for k in range(prints.size):
        largest = max(largest, prints[k])
    traded = series[of.VOLUME, end] - series[of.VOLUME, first]
    return largest / traded if traded > 0 else 0.0


@hot
def price_impact(series, moves, end, scale):  # type: ignore[no-untyped-def]
    """Kyle's lambda and Amihud's ratio over 60 s: bps per root of S, and bps per S.

    Kyle (1985), Hasbrouck (2009): slope of one-second returns on the signed root of net volume, least squares; 0 where
    net volume does not vary. Amihud (2002): mean of |return| over volume, over the seconds with prints; 0 without any.
    """
    first, x_mean, y_mean, cost, traded = max(end - SPAN, 0), 0.0, 0.0, 0.0, 0
    root, change = moves[of.ROOT, first:end], moves[of.CHANGE, first:end]
    costs, prints = moves[of.COST, first:end], series[of.PRINT, first:end]
    for k in range(root.size):
        x_mean += root[k]
        y_mean += change[k]
        cost += costs[k]
        traded += prints[k] > 0
    x_mean, y_mean = x_mean / (end - first), y_mean / (end - first)
    xx = xy = size = 0.0
    for k in range(root.size):
        x = root[k] - x_mean
        xx += x * x
        xy += x * (change[k] - y_mean)
        size += root[k] * root[k]
    kyle = xy / xx * sqrt(scale) if xx > 1e-12 * size else 0.0
    return kyle, (cost / traded * scale if traded > 0 else 0.0)


@hot
def roll_spread(series, end):  # type: ignore[no-untyped-def]
    """Roll (1984): 2 root(-covariance of successive price changes) over the mid in bps, prints of 60 s.

    Of each second with prints the last counts. 0 where the covariance is not negative, or below three such seconds.
    """
    last, change, seconds = 0, 0, 0
    products = earlier = later = 0.0
    prints = series[of.PRINT, max(end - SPAN, 0) : end]
    for k in range(prints.size):
        price = prints[k]
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
    return 4e4 * sqrt(max(-covariance, 0.0)) / series[of.MID, end - 1]


@hot
def vpin(series, end, run, edges):  # type: ignore[no-untyped-def]
    """Volume-synchronised probability of informed trading; Easley, Lopez de Prado, O'Hara (2012). 0 without volume.

    Up to an hour's volume in 50 equal buckets: mean of |bought - sold| over the bucket's volume, by aggressor instead
    of by price changes. A second that lies in two buckets is divided in proportion. All is counted fifty times, so that
    a bucket is a whole number of lots. `edges` is where the buckets began last time: the search goes on from there.
    """
    running, bought, start = series[of.VOLUME], series[of.BOUGHT], max(end - run, 0)
    whole = running[end] - running[start]
    if whole == 0:
        return 0.0
    before, one_sided = 0.0, 0.0
    for bucket in range(1, BUCKETS):
        target, k = bucket * whole, min(max(edges[bucket], start), end - 1)
        while BUCKETS * (running[k + 1] - running[start]) <= target:
            k += 1
        while BUCKETS * (running[k] - running[start]) > target:
            k -= 1
        edges[bucket] = k
        beyond = target - BUCKETS * (running[k] - running[start])
        until = BUCKETS * (bought[k] - bought[start]) + beyond * (bought[k + 1] - bought[k]) / (
            running[k + 1] - running[k]
        )
        one_sided += abs(2 * (until - before) - whole)
        before = until
    one_sided += abs(2 * (BUCKETS * (bought[end] - bought[start]) - before) - whole)
    return one_sided / (float(BUCKETS) * whole)
