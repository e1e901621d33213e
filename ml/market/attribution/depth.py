"""Large lots near the mid, and the visible depth by weight. All compiled.

Here: which cancellation is a pull of a large lot, and what a side holds within the zone.
Not here: which pulls belong together (`ml.layering.clusters`), features of the sample grid (`ml.features.pressure`).
"""

from math import exp

from ml.core.time import SECOND
from ml.market.attribution import layout as lot
from ml.market.attribution.layout import State
from ml.market.attribution.ledger import slot_of
from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.book.ladder import BASE, WINDOW, best
from ml.market.book.layout import I64

BIG = 0.5
"""Lots of at least so many S are followed."""
ZONE_BPS = 20.0
"""So far from the mid."""
YOUNGEST_NS = 80 * lot.MS
OLDEST_NS = 90 * SECOND


@njit_inline
def is_pull(event: I64, scale: int) -> bool:
    """Whether a cancellation ends a large lot, 80 ms to 90 s old and mostly untraded."""
    age = event[lot.E_TS] - event[lot.E_BORN_TS]
    return (
        event[lot.E_LEFT] == 0
        and event[lot.E_AMOUNT] >= BIG * scale
        and 2 * event[lot.E_FILLED] <= event[lot.E_BORN_SIZE]
        and YOUNGEST_NS <= age <= OLDEST_NS
    )


@njit_inline
def size_at(lots: State, side: int, price: int) -> int:
    """The size of a level near the touch, in units of the instrument."""
    return lots.book.dense[side, price - lots.book.head[BASE]]


@njit_inline
def weight(bps: float) -> float:
    """How much a level at a distance (bps) from the mid weighs."""
    decay = exp(-1.0 - bps / 2)
    return decay * (1.0 - decay)


@njit_inline
def share(same: float, opposite: float) -> float:
    """The imbalance of two weighted depths, 0 where there is none."""
    return (same - opposite) / (same + opposite) if same + opposite > 0 else 0.0


@njit_no_alloc
def weighted_depth(lots: State, mid2: int, side: int) -> tuple[float, float]:
    """Volume of a side within the zone, and the same by weight."""
    book = lots.book
    base = book.head[BASE]
    price = best(book, side)
    step = -1 if side == 0 else 1
    reach = int(ZONE_BPS * mid2 / 2e4)
    last = mid2 // 2 + step * reach
    depth = 0.0
    weighted = 0.0
    while (price >= last if side == 0 else price <= last) and 0 <= price - base < WINDOW:
        size = book.dense[side, price - base]
        if size > 0:
            depth += size
            weighted += size * weight(1e4 * abs(2 * price - mid2) / mid2)
        price += step
    return depth, weighted


@njit_no_alloc
def young_volume(lots: State, mid2: int, side: int, scale: int, now: int) -> int:
    """Volume of large lots of a side within the zone that are younger than 90 s and mostly untraded."""
    book = lots.book
    base = book.head[BASE]
    price = best(book, side)
    step = -1 if side == 0 else 1
    last = mid2 // 2 + step * int(ZONE_BPS * mid2 / 2e4)
    total = 0
    while (price >= last if side == 0 else price <= last) and 0 <= price - base < WINDOW:
        slot = slot_of(lots.ledger, side, price) if book.dense[side, price - base] >= BIG * scale else -1
        i = lots.ledger.slots[slot, lot.NEWEST] if slot >= 0 else -1
        while i >= 0:
            one = lots.ledger.lots[i]
            is_young = now - one[lot.BORN_TS] <= OLDEST_NS and 2 * one[lot.FILLED] <= one[lot.BORN_SIZE]
            total += one[lot.SIZE] * (is_young and one[lot.SIZE] >= BIG * scale)
            i = one[lot.OLDER]
        price += step
    return total
