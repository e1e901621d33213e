"""Simulated markets have clusters as often as recorded ones."""

import numpy as np
import pytest

from ml.layering import layout
from ml.layering.cluster_facts import BANDS, compare, counts, measure
from ml.layering.features import NAMES
from ml.layering.finder import Flow, Found
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT
from tests.unit.simulation.test_exchange import SEEDS, START


def test_what_is_counted():
    """All of them; three lots and more; of these what rested, once in two seconds and side."""
    header = np.zeros((5, layout.HEADER), np.int64)
    header[:, layout.C_TS] = np.array([0, 1, 1, 5, 9]) * 10**9
    header[:, layout.C_SIDE] = [1, 1, -1, 1, 1]
    values = np.zeros((5, len(NAMES)))
    values[:, NAMES.index("layers")] = [3, 4, 3, 2, 3]
    values[:, NAMES.index("rest")] = [1, 1, 1, 1, 0.5]
    found = Found(header, np.zeros((5, 1), np.int64), values, np.zeros((5, 2)))
    assert list(counts(found).values()) == [5, 4, 2]
    assert [band.fact for band in BANDS] == list(counts(found))


@pytest.mark.slow
def test_simulated_markets_lie_in_the_bands():
    """Mean over fixed seeds of half an hour each."""
    found = [run(Exchange(seed, 1_800), START) for seed in SEEDS]
    facts = [measure(Flow(INSTRUMENT, one.books, one.trades)) for one in found]
    mean = {name: float(np.mean([each[name] for each in facts])) for name in facts[0]}
    assert [row for row in compare(mean) if not row[2]] == []
