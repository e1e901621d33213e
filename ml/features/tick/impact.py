"""Impact: what trades cost, how they moved the price, how one-sided they came.

Here: compiled functions of what is kept per second, after the papers that they name.
Add here: a function, its line in `fill` and in `ml.features.tick.table`, and its oracle.
Not here: how much was traded (`trade_flow`).
"""

from math import sqrt

from ml.features.tick import windows as of
from ml.features.tick.windows import BUCKETS, HOUR_ROWS
from ml.market.book.compiled import njit_inline, njit_no_alloc

SPAN = 60


@njit_inline
def fill(windows, scale, out):  # type: ignore[no-untyped-def]
    """Write the six features in the table's order; `scale` is S."""
    series = windows.series
    end = windows.meta[of.COUNT]
    now = windows.sums[end]
    before30 = windows.sums[max(end - 30, 0)]
    out[0] = largest_share(series, end)
    out[1] = vpin(series, end, min(windows.meta[of.TRADES_RUN], HOUR_ROWS), windows.edges)
    out[2], out[3] = price_impact(series, windows.moves, end, scale)
    out[4] = roll_spread(series, end)
    notional = now[of.NOTIONAL] - before30[of.NOTIONAL]
    paid = now[of.SPREAD_NOTIONAL] - before30[of.SPREAD_NOTIONAL]
    out[5] = 1e4 * paid / notional if notional > 0 else 0.0


@njit_no_alloc
def largest_share(series, end):  # type: ignore[no-untyped-def]
    """The largest trade over the volume of 60 s, 0 to 1; 0 where nothing traded."""
    first = max(end - SPAN, 0)
    largest = 0
    sizes = series[of.LARGEST, first:end]
    for k in range(sizes.size):
        largest = max(largest, sizes[k])
    traded = series[of.VOLUME, end] - series[of.VOLUME, first]
    return largest / traded if traded > 0 else 0.0


@njit_no_alloc
def price_impact(series, moves, end, scale):  # type: ignore[no-untyped-def]
    """Kyle's lambda and Amihud's ratio over 60 s: bps per root of S, and bps per S.

    Kyle (1985), Hasbrouck (2009): slope of one-second returns on the signed root of net volume, least squares; 0 where
    net volume does not vary. Amihud (2002): mean of |return| over volume, over the seconds with trades; 0 without any.
    """
    first = max(end - SPAN, 0)
    x_mean = 0.0
    y_mean = 0.0
    cost = 0.0
    traded = 0
    root = moves[of.ROOT, first:end]
    change = moves[of.CHANGE, first:end]
    costs = moves[of.COST, first:end]
    prices = series[of.LAST_TRADE, first:end]
    for k in range(root.size):
        x_mean += root[k]
        y_mean += change[k]
        cost += costs[k]
        traded += prices[k] > 0
    x_mean = x_mean / (end - first)
    y_mean = y_mean / (end - first)
    xx = xy = size = 0.0
    for k in range(root.size):
        x = root[k] - x_mean
        xx += x * x
        xy += x * (change[k] - y_mean)
        size += root[k] * root[k]
    kyle = xy / xx * sqrt(scale) if xx > 1e-12 * size else 0.0
    return kyle, (cost / traded * scale if traded > 0 else 0.0)


@njit_no_alloc
def roll_spread(series, end):  # type: ignore[no-untyped-def]
    """Roll (1984): 2 root(-covariance of successive price changes) over the mid in bps, trades of 60 s.

    Of each second with trades the last counts. 0 where the covariance is not negative, or below three such seconds.
    """
    last = 0
    change = 0
    seconds = 0
    products = earlier = later = 0.0
    prices = series[of.LAST_TRADE, max(end - SPAN, 0) : end]
    for k in range(prices.size):
        price = prices[k]
        if price == 0:
            continue
        seconds += 1
        if seconds >= 3:
            products += float(change) * (price - last)
            earlier += change
            later += price - last
        change = price - last
        last = price
    pairs = seconds - 2
    if pairs < 1:
        return 0.0
    covariance = products / pairs - earlier / pairs * (later / pairs)
    return 4e4 * sqrt(max(-covariance, 0.0)) / series[of.MID, end - 1]


@njit_no_alloc
def vpin(series, end, run, edges):  # type: ignore[no-untyped-def]
    """Volume-synchronised probability of informed trading; Easley, Lopez de Prado, O'Hara (2012). 0 without volume.

    Up to an hour's volume in 50 equal buckets: mean of |bought - sold| over the bucket's volume, by aggressor instead
    of by price changes. A second that lies in two buckets is divided in proportion. All is counted fifty times, so that
    a bucket is a whole number of lots. `edges` is where the buckets began last time: the search goes on from there.
    """
    running = series[of.VOLUME]
    bought = series[of.BOUGHT]
    start = max(end - run, 0)
    whole = running[end] - running[start]
    if whole == 0:
        return 0.0
    before = 0.0
    one_sided = 0.0
    for bucket in range(1, BUCKETS):
        target = bucket * whole
        k = min(max(edges[bucket], start), end - 1)
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
