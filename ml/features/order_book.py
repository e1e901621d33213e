"""Book shape: features of the levels at one instant.

Here: compiled functions of (samples, index): the kernel's sample rows and the row to compute for.
Add here: a function, its line in `ml.features.table` and in `ml.features.row`, and its oracle.
Not here: what happened between samples (`order_flow`, `trade_flow`).
"""

from math import log, nan

from ml.market import layout as at
from ml.market.compiled import hot

SCALE_ROWS, SCALE_MIN = 1800, 60


@hot
def size_scale(samples, i, scratch):  # type: ignore[no-untyped-def]
    """Median best size, both sides, in lots: over up to 30 min of valid samples, at least 1 min, else NaN.

    `scratch` i64 (2 * SCALE_ROWS). The exact median by selection, so the order of the window does not matter.
    """
    rows = min(samples[i, at.RUN], SCALE_ROWS, i + 1)
    if rows < SCALE_MIN:
        return nan
    n = 2 * rows
    for k in range(rows):
        scratch[2 * k], scratch[2 * k + 1] = samples[i - k, at.BID_SIZE], samples[i - k, at.ASK_SIZE]
    upper = _select(scratch, n, n // 2)
    lower = scratch[0]
    for k in range(1, n // 2):
        lower = max(lower, scratch[k])
    return (lower + upper) / 2


@hot
def _select(values, n, k):  # type: ignore[no-untyped-def]
    """The k-th smallest of the first n, which stand before it afterwards if smaller (Hoare 1961)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        a, b = low, high
        while a <= b:
            while values[a] < pivot:
                a += 1
            while values[b] > pivot:
                b -= 1
            if a <= b:
                values[a], values[b] = values[b], values[a]
                a, b = a + 1, b - 1
        if k <= b:
            high = b
        elif k >= a:
            low = a
        else:
            break
    return values[k]


@hot
def spread_ticks(samples, i, tick):  # type: ignore[no-untyped-def]
    """Best ask minus best bid, in ticks."""
    return (samples[i, at.ASK_PRICE] - samples[i, at.BID_PRICE]) / tick


@hot
def spread_bps(samples, i):  # type: ignore[no-untyped-def]
    """Best ask minus best bid over the mid, in basis points."""
    bid, ask = samples[i, at.BID_PRICE], samples[i, at.ASK_PRICE]
    return 20_000.0 * (ask - bid) / (ask + bid)


@hot
def micro_dev_bps(samples, i):  # type: ignore[no-untyped-def]
    """Microprice minus mid over mid, in basis points; microprice = (b1 A1 + a1 B1) / (A1 + B1)."""
    bid, ask = samples[i, at.BID_PRICE], samples[i, at.ASK_PRICE]
    bid_size, ask_size = samples[i, at.BID_SIZE], samples[i, at.ASK_SIZE]
    # micro - mid = (a1 - b1) / 2 * (B1 - A1) / (B1 + A1)
    return 10_000.0 * (ask - bid) / (ask + bid) * (bid_size - ask_size) / (bid_size + ask_size)


@hot
def vwmid_dev_bps(samples, i, levels):  # type: ignore[no-untyped-def]
    """Midpoint of the two sides' size-weighted prices over the best levels, minus mid, over mid, in basis points."""
    bid, ask = samples[i, at.BID_PRICE], samples[i, at.ASK_PRICE]
    bid_sum = bid_weight = ask_sum = ask_weight = 0
    for k in range(levels):
        # distances from the touch, so that the sums stay small and exact
        bid_size, ask_size = samples[i, at.BID_SIZE + k], samples[i, at.ASK_SIZE + k]
        if bid_size > 0:
            bid_sum += (bid - samples[i, at.BID_PRICE + k]) * bid_size
            bid_weight += bid_size
        if ask_size > 0:
            ask_sum += (samples[i, at.ASK_PRICE + k] - ask) * ask_size
            ask_weight += ask_size
    return 10_000.0 * (ask_sum / ask_weight - bid_sum / bid_weight) / (ask + bid)


@hot
def queue_imbalance(samples, i, levels):  # type: ignore[no-untyped-def]
    """(sum of bid sizes - sum of ask sizes) / their total over the best levels, -1 to 1."""
    bids = asks = 0
    for k in range(levels):
        bids += samples[i, at.BID_SIZE + k]
        asks += samples[i, at.ASK_SIZE + k]
    return (bids - asks) / (bids + asks)


@hot
def depth(samples, i, size, scale):  # type: ignore[no-untyped-def]
    """ln(1 + size of the best five levels / scale); `size` is the side's first size column."""
    total = 0
    for k in range(5):
        total += samples[i, size + k]
    return log(1.0 + total / scale)


@hot
def slope(samples, i, price, size):  # type: ignore[no-untyped-def]
    """Least-squares slope of ln cumulative size on ln distance from the mid over ten levels; NaN below three levels."""
    twice_mid = samples[i, at.BID_PRICE] + samples[i, at.ASK_PRICE]
    n, total = 0, 0
    sx = sy = sxx = sxy = 0.0
    for k in range(10):
        if samples[i, size + k] == 0:
            break
        total += samples[i, size + k]
        distance = abs(2 * samples[i, price + k] - twice_mid)
        if distance == 0:
            return nan
        x, y = log(distance), log(total)
        n, sx, sy, sxx, sxy = n + 1, sx + x, sy + y, sxx + x * x, sxy + x * y
    spread = n * sxx - sx * sx
    return (n * sxy - sx * sy) / spread if n >= 3 and spread > 0 else nan


@hot
def gap_ticks(samples, i, price, tick):  # type: ignore[no-untyped-def]
    """Distance between the first and second level of a side, in ticks; NaN with one level."""
    second = samples[i, price + 1]
    return abs(second - samples[i, price]) / tick if second > 0 else nan


@hot
def concentration(samples, i, size):  # type: ignore[no-untyped-def]
    """Herfindahl index of the sizes of ten levels of a side, 1/10 to 1."""
    total, squares = 0, 0.0
    for k in range(10):
        total += samples[i, size + k]
    for k in range(10):
        share = samples[i, size + k] / total
        squares += share * share
    return squares
