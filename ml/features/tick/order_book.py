"""Book shape: features of the levels at one instant.

Here: compiled functions of a sample row.
Add here: a function, its line in `fill` and in `ml.features.tick.table`, and its oracle.
Not here: what happened between samples (`order_flow`, `trade_flow`).
"""

from math import log, nan

from ml.market.book import layout as at
from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.tables.schemas import LEVELS

BANDS = (2, 5, 10, 20)
WALL = 4
WALL_AT = 5


@njit_no_alloc
def fill(row, tick, scale, near, out):  # type: ignore[no-untyped-def]
    """Write the twenty-six features in the table's order; `scale` is S, `near` i64 (2, 6) is scratch."""
    look_near(row, near)
    twice_mid = row[at.BID_PRICE] + row[at.ASK_PRICE]
    out[0] = (row[at.ASK_PRICE] - row[at.BID_PRICE]) / tick
    out[1] = 20_000.0 * (row[at.ASK_PRICE] - row[at.BID_PRICE]) / twice_mid
    out[2] = micro_dev_bps(row)
    out[3] = vwmid_dev_bps(row, 5)
    out[4] = queue_imbalance(row, 1)
    out[5] = queue_imbalance(row, 3)
    out[6] = queue_imbalance(row, 5)
    out[7] = queue_imbalance(row, 10)
    for band in range(4):
        out[8 + band] = (near[0, band] - near[1, band]) / (near[0, band] + near[1, band])
    for side in range(2):
        price = at.BID_PRICE + 2 * LEVELS * side
        size = at.BID_SIZE + 2 * LEVELS * side
        out[12 + side] = depth(row, size, scale)
        out[14 + side] = log(1.0 + near[side, 3] / scale)
        out[16 + side] = slope(row, price, size)
        out[18 + side] = abs(row[price + 1] - row[price]) / tick if row[price + 1] > 0 else nan
        out[20 + side] = concentration(row, size)
        out[22 + side] = near[side, WALL] / scale
        out[24 + side] = near[side, WALL_AT] / twice_mid


@njit_no_alloc
def look_near(row, near):  # type: ignore[no-untyped-def]
    """Per side: size within each of BANDS of the mid, the best level always counted; the largest level within 20 bps.

    Of equal levels the nearest is the wall; its distance stands as 20 000 |p - m|.
    """
    twice_mid = row[at.BID_PRICE] + row[at.ASK_PRICE]
    for side in range(2):
        price = at.BID_PRICE + 2 * LEVELS * side
        size = at.BID_SIZE + 2 * LEVELS * side
        within2 = within5 = within10 = within20 = wall = wall_at = 0
        for k in range(LEVELS):
            lots = row[size + k]
            distance = 10_000 * abs(2 * row[price + k] - twice_mid)
            if lots == 0 or (k > 0 and distance > 20 * twice_mid):
                break
            within2 += lots if k == 0 or distance <= 2 * twice_mid else 0
            within5 += lots if k == 0 or distance <= 5 * twice_mid else 0
            within10 += lots if k == 0 or distance <= 10 * twice_mid else 0
            within20 += lots
            if lots > wall:
                wall = lots
                wall_at = distance
        near[side, 0] = within2
        near[side, 1] = within5
        near[side, 2] = within10
        near[side, 3] = within20
        near[side, WALL] = wall
        near[side, WALL_AT] = wall_at


@njit_no_alloc
def micro_dev_bps(row):  # type: ignore[no-untyped-def]
    """Microprice minus mid over mid, in basis points; microprice = (b1 A1 + a1 B1) / (A1 + B1)."""
    bid = row[at.BID_PRICE]
    ask = row[at.ASK_PRICE]
    bid_size = row[at.BID_SIZE]
    ask_size = row[at.ASK_SIZE]
    # micro - mid = (a1 - b1) / 2 * (B1 - A1) / (B1 + A1)
    return 10_000.0 * (ask - bid) / (ask + bid) * (bid_size - ask_size) / (bid_size + ask_size)


@njit_no_alloc
def vwmid_dev_bps(row, levels):  # type: ignore[no-untyped-def]
    """Midpoint of the two sides' size-weighted prices over the best levels, minus mid, over mid, in basis points."""
    bid = row[at.BID_PRICE]
    ask = row[at.ASK_PRICE]
    bid_sum = bid_weight = ask_sum = ask_weight = 0
    for k in range(levels):
        # distances from the touch, so that the sums stay small and exact
        bid_size = row[at.BID_SIZE + k]
        ask_size = row[at.ASK_SIZE + k]
        if bid_size > 0:
            bid_sum += (bid - row[at.BID_PRICE + k]) * bid_size
            bid_weight += bid_size
        if ask_size > 0:
            ask_sum += (row[at.ASK_PRICE + k] - ask) * ask_size
            ask_weight += ask_size
    return 10_000.0 * (ask_sum / ask_weight - bid_sum / bid_weight) / (ask + bid)


@njit_no_alloc
def queue_imbalance(row, levels):  # type: ignore[no-untyped-def]
    """(sum of bid sizes - sum of ask sizes) / their total over the best levels, -1 to 1."""
    bids = asks = 0
    for k in range(levels):
        bids += row[at.BID_SIZE + k]
        asks += row[at.ASK_SIZE + k]
    return (bids - asks) / (bids + asks)


@njit_no_alloc
def depth(row, size, scale):  # type: ignore[no-untyped-def]
    """ln(1 + size of the best five levels / scale); `size` is the side's first size column."""
    lots = 0
    for k in range(5):
        lots += row[size + k]
    return log(1.0 + lots / scale)


@njit_inline
def slope(row, price, size):  # type: ignore[no-untyped-def]
    """Least-squares slope of ln cumulative size on ln distance from the mid over ten levels; NaN below three levels."""
    twice_mid = row[at.BID_PRICE] + row[at.ASK_PRICE]
    n = 0
    lots = 0
    sx = sy = sxx = sxy = 0.0
    for k in range(10):
        if row[size + k] == 0:
            break
        lots += row[size + k]
        distance = abs(2 * row[price + k] - twice_mid)
        if distance == 0:
            return nan
        x = log(distance)
        y = log(lots)
        n = n + 1
        sx = sx + x
        sy = sy + y
        sxx = sxx + x * x
        sxy = sxy + x * y
    spread = n * sxx - sx * sx
    return (n * sxy - sx * sy) / spread if n >= 3 and spread > 0 else nan


@njit_no_alloc
def concentration(row, size):  # type: ignore[no-untyped-def]
    """Herfindahl index of the sizes of ten levels of a side, 1/10 to 1."""
    lots = 0
    squares = 0.0
    for k in range(10):
        lots += row[size + k]
    for k in range(10):
        share = row[size + k] / lots
        squares += share * share
    return squares
