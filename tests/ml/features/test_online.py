"""The live driver gives the batch driver's rows."""

import numpy as np

from ml.features.build import NAMES, REASONS, build
from ml.features.online import OnlineFeatures
from ml.market import layout
from ml.market.sampler import Sampler
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate


def test_online_rows_are_the_batch_rows_bit_for_bit():
    """Row after row over a growing buffer, against the whole array at once."""
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(5, 400, Alpha(0.0))), 1_741_000_000 * 10**9))
    samples = sampler.samples[: sampler.released]
    batch = build(samples, np.zeros((0, layout.COLUMNS), np.int64), INSTRUMENT)
    values, reasons = batch.select(NAMES).to_numpy(), batch.select(REASONS).to_numpy()
    online = OnlineFeatures(INSTRUMENT)
    for i in range(len(samples)):
        online.compute(samples[: i + 1].copy(), i)
        np.testing.assert_array_equal(online.values, values[i])
        np.testing.assert_array_equal(online.reasons, reasons[i])
        assert (online.withheld is None) == (not np.isnan(online.values).any())
