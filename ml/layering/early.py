"""Clusters that still stand: large lots that were placed together and may be pulled together. All compiled.

Here: which lots stand together, judged at each message that places a large one.
Not here: clusters that were pulled (`ml.layering.clusters`), one warning per side in two seconds
(`ml.layering.detector`).

The score is the volume of the lots in typical best sizes (S). It does not say whether they will be pulled.
"""

from ml.layering import layout as at
from ml.layering.layout import Clusters
from ml.market.attribution import layout as lot
from ml.market.attribution import scale as scales
from ml.market.attribution.depth import BIG, ZONE_BPS
from ml.market.attribution.layout import State
from ml.market.attribution.ledger import slot_of
from ml.market.book.compiled import njit_no_alloc

FEWEST = 2
"""Prices of a cluster that is warned of."""
LEAST_SCORE = 20.0


@njit_no_alloc
def warn(lots: State, finder: Clusters, side: int) -> None:
    """Append the cluster of the newest large lots of a side, if it is one."""
    scale = finder.scale.meta[scales.SIZE]
    meta = finder.meta
    if scale == 0 or meta[at.TOP_BID] == 0:
        return
    count = _standing(lots, finder, side, scale, meta[at.TOP_BID] + meta[at.TOP_ASK])
    size = finder.near[at.N_SIZE]
    born = finder.near[at.N_BORN]
    most = 0
    smallest = -1
    for i in range(count):
        largest = int(at.SIZE_FACTOR * size[i])
        volume = 0
        for j in range(count):
            volume += size[j] * (size[i] <= size[j] <= largest)
        if volume > most and size[i] <= size[0] <= largest:  # the newest belongs to it
            most = volume
            smallest = i
    if most < LEAST_SCORE * scale:
        return
    layers = 0
    start = 1 << 62
    for j in range(count):
        if size[smallest] <= size[j] <= int(at.SIZE_FACTOR * size[smallest]):
            layers += 1
            start = min(start, born[j])
    if layers < FEWEST:
        return
    row = meta[at.N_WARNED]
    told = finder.warned[row]
    told[at.W_TS] = lots.ledger.meta[lot.TIME]
    told[at.W_SIDE] = 1 - 2 * side
    told[at.W_START] = start
    told[at.W_LAYERS] = layers
    told[at.W_VOLUME] = most
    told[at.W_SCALE] = scale
    meta[at.N_WARNED] = row + 1


@njit_no_alloc
def _standing(lots: State, finder: Clusters, side: int, scale: int, mid2: int) -> int:
    """Put the newest large lots that still stand into `finder.near`, one per price, newest first; how many."""
    price = finder.near[at.N_ROW]
    size = finder.near[at.N_SIZE]
    born = finder.near[at.N_BORN]
    n = finder.meta[at.BORN_BID + side]
    now = lots.ledger.meta[lot.TIME]
    count = 0
    k = n - 1
    while k >= max(n - at.BIRTHS, 0) and count < at.LOOKED_AT:
        birth = finder.births[side, k & (at.BIRTHS - 1)]
        if birth[0] < now - at.BIRTHS_NS:
            break
        is_near = 1e4 * abs(2 * birth[1] - mid2) <= ZONE_BPS * mid2
        if is_near and birth[2] >= BIG * scale and _stands(lots, side, birth[1], birth[2]):
            is_new = True
            for i in range(count):
                is_new = is_new and price[i] != birth[1]
            if is_new:
                price[count] = birth[1]
                size[count] = birth[2]
                born[count] = birth[0]
                count += 1
        k -= 1
    return count


@njit_no_alloc
def _stands(lots: State, side: int, price: int, size: int) -> bool:
    """Whether a level holds a lot of a size."""
    slot = slot_of(lots.ledger, side, price)
    i = lots.ledger.slots[slot, lot.NEWEST] if slot >= 0 else -1
    while i >= 0:
        if lots.ledger.lots[i, lot.SIZE] == size:
            return True
        i = lots.ledger.lots[i, lot.OLDER]
    return False
