"""Leak canaries of a day: silent on honest rows, and each dies of the leak that it is there for."""

import numpy as np
import polars as pl
import pytest

from ml.evaluation.canaries import features
from ml.features.sets import OF_SAMPLES
from ml.features.tick.build import NAMES, build
from ml.market.book import layout
from ml.simulation.instrument import INSTRUMENT
from tests.support.samples import invalid, random_samples

TIMES = 25


@pytest.fixture(scope="module")
def day():
    """Samples with an hour before them and a gap, and their rows."""
    samples = invalid(random_samples(layout.TAIL + 900, 4), layout.TAIL + 300, 20)
    tail = samples[: layout.TAIL]
    own = samples[layout.TAIL :]
    return own, tail, build(own, tail, INSTRUMENT)


def verdicts(day, rows):
    own, tail, _ = day
    return {
        name: {canary.name: canary for canary in canaries}
        for name, canaries in features.by_set(own, tail, rows, INSTRUMENT, TIMES).items()
    }


@pytest.mark.promise("D9")
def test_honest_rows_change_with_nothing(day):
    """All four canaries of every set, with and without samples to look back on."""
    for found in (verdicts(day, day[2]), verdicts((day[0], day[1][:0], None), build(day[0], day[1][:0], INSTRUMENT))):
        assert set(found) == set(OF_SAMPLES)
        for canaries in found.values():
            assert list(canaries) == ["truncation", "future_scramble", "warm_up", "planted_leak"]
            assert all(canary.passed for canary in canaries.values()), canaries


@pytest.mark.parametrize(
    ("name", "guilty"), [("qi_1", {"base_110", "base_35"}), ("vpin", {"base_110"}), ("rsi_14", {"base_110"})]
)
@pytest.mark.parametrize("shift", [-1, -10])
def test_a_value_of_later_kills_the_canaries_of_the_sets_that_hold_it(day, name, guilty, shift):
    """A column shifted back in time is found by truncation, and named."""
    shifted = day[2].with_columns(pl.col(name).shift(-60 if name == "rsi_14" else shift))
    for found, canaries in verdicts(day, shifted).items():
        assert canaries["truncation"].passed == (found not in guilty)
        if found in guilty:
            assert canaries["truncation"].detail.endswith(f"first {name}")
            assert not canaries["future_scramble"].passed


def test_a_memory_longer_than_declared_kills_the_warm_up_test(day):
    """An average of all the past is no leak of the future, but no process that starts later has it."""
    own, tail, rows = day
    mids = np.cumsum(np.concatenate([tail, own])[:, layout.BID_PRICE])[len(tail) :]
    drifting = rows.with_columns(return_60s=pl.col("return_60s") + pl.Series(mids * 1e-12))
    canary = verdicts(day, drifting)["base_110"]["warm_up"]
    assert not canary.passed
    assert canary.value > 0
    assert verdicts(day, drifting)["base_35"]["warm_up"].passed


def test_a_blind_truncation_test_would_be_noticed(day, monkeypatch):
    """If nothing that is planted were found, the planted leak says so."""
    monkeypatch.setattr(features, "truncated", lambda *_: (1, np.zeros(len(NAMES), np.int64)))
    assert not any(canaries["planted_leak"].passed for canaries in verdicts(day, day[2]).values())


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_day_of_hardly_any_rows_has_no_leak_to_show(day, rows):
    """What cannot be compared fails no check."""
    own, tail, _ = day
    found = features.by_set(own[:rows], tail, build(own[:rows], tail, INSTRUMENT), INSTRUMENT)
    assert all(canary.passed for canaries in found.values() for canary in canaries)
