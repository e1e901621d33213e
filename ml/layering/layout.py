"""The arrays of the cluster finder and its constants.

The functions that use them are in `ml.layering.clusters`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.time import SECOND
from ml.layering.features import NAMES
from ml.market.attribution.layout import MS
from ml.market.attribution.scale import SECONDS, Scale, empty_scale
from ml.market.book.layout import I64

F64 = NDArray[np.float64]

LEAST_VOLUME = 1.5
"""A cluster holds at least so many S."""
SIZE_FACTOR = 2.5
BIRTHS_NS = 4 * SECOND
"""Lots of a cluster are born within so long of its smallest one, and at most `SIZE_FACTOR` times as large."""
FAST_NS = SECOND // 2
SLOW_NS = 6 * SECOND
"""Pulls of a cluster lie within the first, or for one that is pulled piece by piece within the second."""
STEP_NS = 50 * MS
STEPS = 2048
"""Grid of what is looked up in the past, and how many steps are kept: 102 s."""
DEATHS = 1024
BIRTHS = 1024
PAST = 4096
LOOKED_AT = 64
N_ROW, N_SIZE, N_BORN, N_DIED = range(4)
"""Cancellations of large lots that one cluster is chosen from: the newest. Rows of `near`: the row of `deaths`, its
size, birth and cancellation."""
LAYERS = 32
FEWEST_LEVELS = 2

CUM_BUY, CUM_SELL, CUM_OFI, MID2 = range(4)
"""Columns of `steps`."""
SEC_BUY, SEC_SELL, SEC_FOUND = range(3)
"""Columns of `seconds`."""
(
    D_TS,
    D_PRICE,
    D_SIZE,
    D_BORN,
    D_BORN_SIZE,
    D_FILLED,
    D_EXACT,
    D_MOVED,
    D_LOT,
    D_GONE,
    D_SURE_FILLED,
) = range(11)
"""Columns of `deaths`. GONE: it was moved, or traded after all."""
(C_TS, C_SIDE, C_START, C_FIRST_PULL, C_LAST_PULL, C_LAYERS, C_VOLUME, C_SCALE, C_LATEST_BIRTH) = range(9)
HEADER = 9
"""Columns of `found`: times in ns, sizes in units of the instrument."""
(W_TS, W_SIDE, W_START, W_LAYERS, W_VOLUME, W_SCALE) = range(6)
"""Columns of `warned`, likewise."""
(
    NEXT_STEP,
    NEXT_SECOND,
    N_SECONDS,
    BUY,
    SELL,
    OFI,
    DIED_BID,
    DIED_ASK,
    DUE_BID,
    DUE_ASK,
    BORN_BID,
    BORN_ASK,
    PAST_BID,
    PAST_ASK,
    SAME_BID,
    SAME_ASK,
    N_FOUND,
    LAST_BUY,
    LAST_SELL,
    WATCHED,
    TOP_BID,
    TOP_BID_SIZE,
    TOP_ASK,
    TOP_ASK_SIZE,
    RESETS,
    STARTED,
    LAST_MESSAGE,
    SEEN_BID,
    SEEN_ASK,
    N_WARNED,
) = range(30)
"""Slots of `meta`. NEXT_STEP and NEXT_SECOND: times (ns) of the next sample. DUE: whether large lots were cancelled by
the last message. PAST: clusters found; SAME: the first of them that is recent enough to be repeated. WATCHED: ns during
which clusters could be found. SEEN: births of large lots up to the message before."""


class Clusters(NamedTuple):
    """Everything that the finder remembers beside attribution, as arrays only.

    `scale`: best sizes of the last 30 min. `steps` i64 (STEPS, 4), `seconds` i64 (1800, 3): what is looked up in the
    past. `deaths` i64 (2, DEATHS, 11), `births` i64
    (2, BIRTHS, 3): large lots cancelled and added, by side. `past_ts` i64 and `past_lot` f64 (2, PAST): time and
    mean lot of clusters, by side. `found` i64 (room, HEADER), `layers` i64 (room, LAYERS), `values` f64 (room,
    features), `band` f64 (room, 2): the clusters, their prices, their features, and the least and largest share of
    their lots that may have been traded. `warned` i64 (room, 6): lots that stand together. `near` i64 (4, LOOKED_AT),
    `best` i64 (LOOKED_AT): scratch.
    """

    scale: Scale
    steps: I64
    seconds: I64
    deaths: I64
    births: I64
    past_ts: I64
    past_lot: F64
    found: I64
    layers: I64
    values: F64
    band: F64
    warned: I64
    near: I64
    best: I64
    meta: I64


def empty_clusters(room: int = 1 << 10) -> Clusters:
    """A finder that has seen nothing, with room for so many clusters."""
    return Clusters(
        scale=empty_scale(),
        steps=np.zeros((STEPS, 4), np.int64),
        seconds=np.zeros((SECONDS, 3), np.int64),
        deaths=np.zeros((2, DEATHS, 11), np.int64),
        births=np.zeros((2, BIRTHS, 3), np.int64),
        past_ts=np.zeros((2, PAST), np.int64),
        past_lot=np.zeros((2, PAST)),
        found=np.zeros((room, HEADER), np.int64),
        layers=np.zeros((room, LAYERS), np.int64),
        values=np.zeros((room, len(NAMES))),
        band=np.zeros((room, 2)),
        warned=np.zeros((room, 6), np.int64),
        near=np.zeros((4, LOOKED_AT), np.int64),
        best=np.zeros(LOOKED_AT, np.int64),
        meta=np.zeros(32, np.int64),
    )
