"""The features of a cluster of pulled lots: one line per feature, in the order in which they are computed.

Here: id, formula, unit and source.
Not here: the functions (`ml.layering.clusters`).

None depends on the instrument's absolute sizes or prices, and none looks beyond the message after the last pull.
"""

from typing import NamedTuple

TEXTBOOK = "Di Nosse, Lillo, Consob draft"
NASDAQ = "Nasdaq 2020, five marks"
COSCIA = "US v. Coscia, trial reports"
SARAO = "CFTC v. Sarao"
OWN = "lobforge"


class ClusterFeature(NamedTuple):
    """One feature of a cluster; a unit of `1` is a pure number.

    Symbols: V cancelled volume of the cluster, S the size scale, n its prices, b and d times of birth and cancellation
    of its lots, side s = +1 for bids.
    """

    id: str
    formula: str
    unit: str
    source: str


FEATURES = (
    ClusterFeature("lot_size", "mean lot / S", "1", "Lee, Eom, Park 2013"),
    ClusterFeature("depth_share", "V / (depth of the side within 20 bps + V)", "1", NASDAQ),
    ClusterFeature("layers", "n", "1", "CDR (EU) 2016/522 Annex II 1.5(e)"),
    ClusterFeature("size_cv", "standard deviation / mean of the lots", "1", OWN),
    ClusterFeature("span_per_layer", "(highest - lowest price) / mid / n", "bps", OWN),
    ClusterFeature("nearest", "distance of the nearest price from the mid", "bps", NASDAQ),
    ClusterFeature("placement", "max b - min b", "s", OWN),
    ClusterFeature("rest", "min d - max b, at least 0", "s", COSCIA),
    ClusterFeature("pull_spread", "max d - min d", "s", COSCIA),
    ClusterFeature("filled", "traded volume of the lots / their size at birth", "1", NASDAQ),
    ClusterFeature("exact_share", "share of V cancelled by a decrease of exactly the lot's size", "1", OWN),
    ClusterFeature("readded", "additions >= half a lot on the side from 0.5 s before the pull on / V", "1", OWN),
    ClusterFeature("two_sided", "large lots cancelled on the other side in the time of the pulls / V", "1", NASDAQ),
    ClusterFeature("moved_share", "share of V in lots that were moved before", "1", SARAO),
    ClusterFeature("pushed_trades", "aggressor volume in direction s from min b on / V", "1", NASDAQ),
    ClusterFeature("opposed_trades", "aggressor volume in direction -s from min b on / V", "1", NASDAQ),
    ClusterFeature("since_pushed", "max d - time of the last trade in direction s, 0 to 60", "s", COSCIA),
    ClusterFeature("pushed_burst", "z of its volume in the last second against the last 60 s", "1", OWN),
    ClusterFeature(
        "imbalance", "s x order-flow imbalance of the best level from min b on / V", "1", "Cont et al. 2014"
    ),
    ClusterFeature("msci", "SCI x C_s x max(C_s - C_-s, 0)", "1", TEXTBOOK),
    ClusterFeature("weight_change", "s x (depth-weighted imbalance before - after the pulls)", "1", TEXTBOOK),
    ClusterFeature("mid_move", "s x change of the mid from min b to the decision", "bps", NASDAQ),
    ClusterFeature("repeats", "clusters of the side in 10 min with a mean lot within 2 %", "1", SARAO),
    ClusterFeature("cluster_rate", "log2(1 + clusters per minute over the last 30 min)", "1", OWN),
)
NAMES = tuple(feature.id for feature in FEATURES)
"""C_s is the share of the side's weighted depth that the pulls took, SCI the absolute change of the weighted imbalance
(L_bid - L_ask) / (L_bid + L_ask); a level at x bps from the mid weighs exp(-y) (1 - exp(-y)) with y = 1 + x / 2."""
