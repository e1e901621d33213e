"""Clusters and cues against planted episodes: which one hits which.

Here: the rule, and labels of clusters.
Not here: rates that follow from it (`ml.layering.benchmark`).

A cluster hits an episode of its side if it was decided between 0.1 s before the first pull and 1 s after the last one.
"""

import numpy as np
import polars as pl

from ml.layering import layout
from ml.layering.finder import Found
from ml.market.book.layout import I64

BEFORE_NS = 10**8
AFTER_NS = 10**9
NONE = -1
AGREES = 0.3
"""Share of the prices of a cluster and an episode together that both must have."""


def hits(ts: I64, side: I64, truth: pl.DataFrame) -> I64:
    """The row of the episode that each time and side hits, NONE where it hits none; the earlier one of two."""
    found = np.full(len(ts), NONE, np.int64)
    rows = truth.select("side", "first_pull", "last_pull").rows()
    for k in range(len(rows) - 1, -1, -1):
        of_side, first, last = rows[k]
        inside = (ts >= first - BEFORE_NS) & (ts <= last + AFTER_NS) & (side == of_side)
        found[inside] = k
    return found


def labels(found: Found, truth: pl.DataFrame) -> tuple[I64, I64]:
    """Labels i64 (n): 1 planted layering, 0 not, NONE unknown; and the row of the episode that each cluster hits.

    Unknown is a cluster at the time of an episode that has few of its prices: other orders were pulled then, too.
    """
    episode = hits(found.header[:, layout.C_TS], found.header[:, layout.C_SIDE], truth)
    prices = truth["prices"].to_list()
    label = truth["label"].to_numpy()
    labelled = np.zeros(len(found), np.int64)
    for row in np.flatnonzero(episode != NONE).tolist():
        own = set(found.layers[row].tolist()) - {0}
        planted = set(prices[episode[row]])
        if label[episode[row]] == 1:
            labelled[row] = 1 if len(own & planted) >= AGREES * len(own | planted) else NONE
    return labelled, episode
