"""Thresholds from unlabelled flow, and the bound that its hours support."""

import numpy as np
import pytest

from ml.layering.calibration import (
    WHOLE_HOURS,
    calibrated,
    kept,
    most_alarms,
    poisson_bound,
    poisson_interval,
    threshold_for,
)

SECOND = 10**9


def flow(count=200, seed=0):
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.integers(0, 3600 * SECOND, count))
    return ts, rng.choice([1, -1], count), rng.random(count)


def test_no_cue_follows_within_two_seconds_on_a_side():
    """The other side is not suppressed, and what was suppressed suppresses nothing."""
    ts = np.array([0, 1, 2, 3, 4]) * SECOND
    side = np.array([1, 1, -1, 1, 1])
    assert kept(ts, side, np.ones(5, bool)).tolist() == [0, 2, 3]


@pytest.mark.parametrize("allowed", [0, 1, 5, 50])
def test_the_threshold_keeps_as_many_cues_as_are_allowed_and_the_next_lower_score_more(allowed):
    ts, side, scores = flow()
    threshold = threshold_for(ts, side, scores, allowed)
    assert len(kept(ts, side, scores >= threshold)) <= allowed
    lower = scores[scores < threshold].max()
    assert len(kept(ts, side, scores >= lower)) > allowed


def test_little_flow_draws_the_threshold_towards_the_simulators():
    """Without flow it is the simulator's, with three hours the flow's own."""
    ts, side, scores = flow()
    own = calibrated(ts, side, scores, WHOLE_HOURS, 1, 0.5)
    part = calibrated(ts, side, scores, WHOLE_HOURS / 4, 1, 0.5)
    none = calibrated(ts, side, scores, 0, 1, 0.5)
    assert (none.threshold, none.source, none.bound) == (0.5, "simulator", None)
    assert own.threshold == pytest.approx(threshold_for(ts, side, scores, 3))
    assert 0.5 < part.threshold < calibrated(ts, side, scores, WHOLE_HOURS, 0.25, 0.5).threshold
    assert own.alarms <= 3
    assert own.bound == pytest.approx(poisson_bound(own.alarms) / 3)


def test_zero_alarms_exclude_three_over_the_hours():
    """The rule of three, exactly, and Garwood's interval for a known count."""
    assert poisson_bound(0) == pytest.approx(2.9957, abs=1e-4)
    assert poisson_interval(10) == pytest.approx((4.7954, 18.3904), abs=1e-4)
    assert poisson_interval(0)[0] == 0


def test_minutes_can_show_that_the_simulators_threshold_is_too_low():
    """Many alarms in a few minutes raise it at once; a few minutes without any leave it where it is."""
    ts, side, scores = flow()
    hours = 0.1
    busy = calibrated(ts, side, scores, hours, 2, 0.5)
    assert busy.alarms <= most_alarms(2 * hours) == 1
    assert busy.threshold > 0.95
    idle = calibrated(ts, side, scores * 0.1, hours, 2, 0.5)
    assert idle.alarms == 0
    assert 0.45 < idle.threshold <= 0.5
