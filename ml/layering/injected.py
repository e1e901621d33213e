"""Votes that follow from planted episodes: whether each stored cue is one of them.

Here: from a truth to votes in the log.
Not here: episodes (`ml.simulation.episodes`), what hits what (`ml.layering.matching`).
"""

import numpy as np
import polars as pl

from ml.layering.dataset import SIDE
from ml.layering.labels import LabelLog
from ml.layering.matching import NONE, hits

LABELLER = "truth"


def inject(log: LabelLog, cues: pl.DataFrame, truth: pl.DataFrame, time: int) -> int:
    """Add a vote of the source `injected` for each cue, and return how many.

    A cue at one of the prices of an episode that it hits is what the episode is. One that hits no episode is not
    layering: the market must be one in which nothing else was planted. One that hits an episode elsewhere is left out.

    Args:
        log: the label log.
        cues: rows of `layering_cues` of one instrument.
        truth: its episodes, see `ml.simulation.overlay.TRUTH`.
        time: of the votes, ns UTC.
    """
    sides = np.array([SIDE[side] for side in cues["side"]], np.int64)
    episode = hits(cues["ts"].to_numpy(), sides, truth)
    prices = truth["prices"].to_list()
    label = truth["label"].to_list()
    log.add_cues(cues["id"])
    count = 0
    for number, at, cue in zip(episode.tolist(), cues["prices"].to_list(), cues["id"], strict=True):
        if number == NONE:
            log.vote(cue, 0, LABELLER, time, "nothing was planted there", "injected")
        elif set(at) & set(prices[number]) or label[number] == 0:
            log.vote(cue, label[number], LABELLER, time, truth["episode_id"][number], "injected")
        else:
            continue
        count += 1
    return count
