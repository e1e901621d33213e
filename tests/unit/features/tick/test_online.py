"""The live driver gives the batch driver's rows."""

import numpy as np
import pytest

from ml.features.sets import BASE, WHOLE
from ml.features.tick import online as live
from ml.features.tick.build import NAMES, REASONS, build
from ml.features.tick.online import OnlineFeatures
from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate
from tests.support.samples import invalid, random_samples

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)


def table(samples):
    """Values (NaN where null) and reasons of the batch."""
    batch = build(samples, NO_TAIL, INSTRUMENT)
    return batch.select(NAMES).to_numpy(), batch.select(REASONS).to_numpy()


def test_online_rows_are_the_batch_rows_bit_for_bit():
    """Row after row over a growing buffer, against the whole array at once."""
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(5, 400, Alpha(0.0))), 1_741_000_000 * 10**9))
    samples = sampler.samples[: sampler.released]
    values, reasons = table(samples)
    online = OnlineFeatures(INSTRUMENT)
    for i in range(len(samples)):
        online.compute(samples[: i + 1].copy(), i)
        np.testing.assert_array_equal(online.values, values[i])
        np.testing.assert_array_equal(online.reasons, reasons[i])
        assert (online.withheld(WHOLE.positions) is None) == (not np.isnan(online.values).any())


@pytest.fixture(scope="module")
def long():
    """Two hours and a half with a gap, and the batch's rows."""
    samples = invalid(random_samples(9_000, 6), 5_000, 30)
    return samples, table(samples)


def test_a_stream_without_end_keeps_the_bits(long, monkeypatch):
    """The windows' room is used up several times over."""
    samples, (values, reasons) = long
    monkeypatch.setattr(live, "ROOM", layout.TAIL + 1_000)
    online = OnlineFeatures(INSTRUMENT)
    for i in range(len(samples)):
        online.compute(samples, i)
        assert np.array_equal(online.values, values[i], equal_nan=True), i
        assert np.array_equal(online.reasons, reasons[i]), i


@pytest.mark.parametrize("start", [0, 61, 3_599, 3_600, 5_010, 8_000])
def test_a_restart_goes_on_with_the_same_bits(long, start):
    """A new process that finds an hour of samples: its first row is the batch's, and so is the next."""
    samples, (values, reasons) = long
    online = OnlineFeatures(INSTRUMENT)
    for i in (start, start + 1):
        online.compute(samples, i)
        np.testing.assert_array_equal(online.values, values[i])
        np.testing.assert_array_equal(online.reasons, reasons[i])


def test_a_jump_back_is_a_restart(long):
    """Rows out of order are as right as any."""
    samples, (values, _) = long
    online = OnlineFeatures(INSTRUMENT)
    for i in (7_000, 4_000, 4_001, 8_999, 4_002):
        online.compute(samples, i)
        np.testing.assert_array_equal(online.values, values[i])


def test_what_is_withheld_names_the_first_reason():
    """A book of one level has no slope, and forty seconds are too few for a scale: it warms up first."""
    samples = random_samples(100, 1, levels=1)
    online = OnlineFeatures(INSTRUMENT)
    for row, reason in ((40, "warm_up"), (80, "undefined")):
        online.compute(samples, row)
        assert online.withheld(BASE.positions) == reason


def test_what_is_withheld_depends_on_the_columns_that_are_asked_for(long):
    """Five minutes in, the short set is whole; the whole table still warms up."""
    online = OnlineFeatures(INSTRUMENT)
    online.compute(long[0], 300)
    assert online.withheld(BASE.positions) is None
    assert online.withheld(WHOLE.positions) == "warm_up"
    online.compute(long[0], 5_003)
    assert online.withheld(BASE.positions) == "invalid_book"
