"""Training features of a simulated market without captures: what the assets would store, from the kernel's arrays.

Here: the short way for demos and tests that need hours of a market in seconds; it has no outage and no latency.
Not here: the market (`ml.simulation.venue`), the way through frames and captures (`ml.learning.from_captures`).
"""

import numpy as np
import polars as pl

from ml.core.config import LabelPlan
from ml.core.time import DAY_NS, SECOND, date_of
from ml.features.tick.build import build
from ml.labels import future
from ml.learning.training_features import join
from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.market.days.tables import samples_frame
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate


def training_features(market: Market, start_ns: int, plan: LabelPlan | None = None) -> pl.DataFrame:
    """The table `training_features` of a market that begins at a UTC time and ends on the same date.

    Args:
        market: seed, length in seconds, and the planted signal.
        start_ns: ns UTC.
        plan: which labels; the default ones if left out.

    Raises:
        ValueError: it reaches into the next date.
    """
    if start_ns // DAY_NS != (start_ns + (market.seconds - 1) * SECOND) // DAY_NS:
        raise ValueError(f"{market.seconds} s from {date_of(start_ns)} on reach into the next date")
    sampler = Sampler(room=market.seconds + layout.TAIL)
    sampler.run(*streams(simulate(market), start_ns))
    samples = sampler.samples[: sampler.released]
    before = np.zeros((0, samples.shape[1]), np.int64)
    labels = future.label(samples_frame(samples), before, date_of(start_ns), plan or LabelPlan())
    return join(build(samples, before, INSTRUMENT), labels, INSTRUMENT.id)
