"""Figures of returns: against quantstats and definitions, and what is not said of too few days."""

import math
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.time import DAY_NS, HOUR, SECOND
from ml.evaluation import returns
from tests.oracles import returns as oracle

START = 20_000 * DAY_NS


def of_days(seed, n, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 0.01, n)


def marks(ts, equity):
    return pl.DataFrame({"ts": ts, "equity": equity}, schema={"ts": pl.Int64(), "equity": pl.Float64()})


@given(st.lists(st.tuples(st.integers(1, 5 * 24), st.one_of(st.none(), st.floats(0.5, 2.0))), max_size=60))
def test_daily_returns_are_those_of_the_definition(steps):
    """Unknown marks, missing days, marks at midnight."""
    ts = (START + np.cumsum([hours * HOUR for hours, _ in steps])).tolist()
    equity = [value for _, value in steps]
    expected = oracle.daily_returns(list(zip(ts, equity, strict=True)))
    found = returns.daily_returns(marks(ts, equity))
    assert found["date"].to_list() == [day for day, _ in expected]
    assert found["return"].to_list() == pytest.approx([value for _, value in expected])


def test_an_unknown_day_is_no_day_without_return():
    """Nothing is known of the second day: two returns, not three, and none is 0."""
    ts = [START + 1, START + DAY_NS, START + DAY_NS + HOUR, START + 3 * DAY_NS]
    found = returns.daily_returns(marks(ts, [1.0, 1.1, None, 1.21]))
    assert found["return"].to_list() == pytest.approx([0.1, 0.1])
    assert found["date"].to_list() == ["2024-10-04", "2024-10-06"]


@given(st.integers(0, 10_000), st.integers(2, 400))
def test_the_ratio_is_that_of_quantstats(seed, n):
    """Sharpe ratio over 365 days, without a risk-free rate."""
    import quantstats.stats as theirs

    values = of_days(seed, n)
    series = pd.Series(values, index=pd.date_range("2025-01-01", periods=n))
    found = returns.sharpe(values)
    assert found.ratio == pytest.approx(theirs.sharpe(series, rf=0.0, periods=365))
    assert found.lower < found.ratio < found.upper
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        worst = theirs.max_drawdown(series)
    equity = np.concatenate([[1.0], np.cumprod(1 + values)])
    assert returns.drawdown(equity).min() == pytest.approx(worst, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(20, 400), st.integers(2, 500), st.floats(0.01, 0.2))
def test_probabilistic_and_deflated_ratios_are_those_of_the_definition(seed, n, trials, spread):
    """From moments computed one by one."""
    values = np.random.default_rng(seed).standard_t(4, n) * 0.01
    assert returns.probabilistic_sharpe(values) == pytest.approx(oracle.probabilistic(values.tolist(), 0.0))
    expected = oracle.deflated(values.tolist(), trials, spread)
    assert returns.deflated_sharpe(values, trials, spread) == pytest.approx(expected)
    assert returns.deflated_sharpe(values, trials, spread) <= returns.probabilistic_sharpe(values)
    assert returns.deflated_sharpe(values, 1) == returns.probabilistic_sharpe(values)


def test_the_interval_keeps_its_level():
    """Strategies without skill over 60 days: the ratio's interval excludes 0 in about 5 % of cases."""
    missed = sum(not found.lower < 0 < found.upper for found in (returns.sharpe(of_days(k, 60)) for k in range(1_000)))
    assert 30 <= missed <= 75


def test_the_best_of_many_trials_without_skill_is_as_good_as_expected():
    """The highest of fifty ratios, over many repeats, is on average the benchmark that deflates it."""
    best = [max(returns.ratio_per_period(of_days(100 * k + j, 100)) for j in range(50)) for k in range(100)]
    assert np.mean(best) == pytest.approx(returns.expected_maximum(50, 1 / math.sqrt(99)), rel=0.05)


@pytest.mark.parametrize("n", [1, 14, 29, 30, 180])
def test_a_ratio_is_shown_with_interval_and_days(n):
    """Below two days there is none."""
    found = returns.sharpe(of_days(3, n, 0.001))
    if n == 1:
        assert str(found).startswith("not computed: 1 days")
    else:
        assert f"(95 %: {found.lower:.1f} to {found.upper:.1f}, {n} days)" in str(found)


def test_the_standard_error_is_what_days_allow():
    """About 19 over a day's data taken twice, 3.5 over 30 days, 1.4 over 180."""
    for n, error in ((30, 3.5), (180, 1.43)):
        found = returns.sharpe(of_days(5, n))
        assert (found.upper - found.lower) / (2 * 1.96) == pytest.approx(error, rel=0.1)


def test_days_that_all_returned_the_same_have_no_ratio():
    """A spread of zero is no infinite skill."""
    assert returns.sharpe(np.zeros(40)).ratio is None
    assert returns.deflated_sharpe(np.zeros(40), 10) is None
    assert returns.deflated_sharpe(np.zeros(1), 10) is None


@given(st.integers(0, 10_000), st.sampled_from([2, 4, 6, 8]), st.integers(2, 9), st.booleans())
def test_overfitting_is_that_of_the_definition(seed, blocks, trials, small):
    """Every way of halving the blocks, one after the other."""
    performance = np.random.default_rng(seed).normal(size=(blocks, trials))
    if small:
        performance = performance / 1e6
    assert returns.overfitting(performance) == pytest.approx(oracle.overfitting(performance.tolist()))


def test_overfitting_tells_skill_from_luck():
    """One trial that is better in every block against many that are equal."""
    rng = np.random.default_rng(1)
    luck = [returns.overfitting(rng.normal(size=(10, 20))) for _ in range(30)]
    assert 0.35 < np.mean(luck) < 0.65
    assert returns.overfitting(rng.normal(size=(10, 20)) + 5 * (np.arange(20) == 7)) == 0
    assert returns.overfitting(np.zeros((10, 1))) is None
    with pytest.raises(ValueError, match="even number of 2 to 16"):
        returns.overfitting(np.zeros((5, 3)))


def test_the_trials_of_a_search_are_compared_by_their_blocks():
    """Losses, so less is better; a search of older code kept none, one trial has no rival."""
    skilled = [{"blocks": [1.0 - 0.5 * (k == 2)] * 8} for k in range(5)]
    assert returns.search_overfitting(skilled) == 0
    assert returns.search_overfitting([{"log_loss": 1.0}] * 5) is None
    assert returns.search_overfitting(skilled[:1]) is None
    assert returns.search_overfitting([]) is None


def seconds(values, missing=()):
    """Equity of a strategy, one mark a second."""
    equity = [None if k in missing else float(v) for k, v in enumerate(values)]
    return marks(START + np.arange(len(values)) * SECOND, equity)


def test_over_short_data_two_strategies_are_compared_by_blocks():
    """Two hours: one earns a basis point of the capital every ten minutes more than the other."""
    noise = np.random.default_rng(1).normal(0, 1e-6, 7_201).cumsum()
    lead = np.arange(7_201) * 1e-4 / 600
    found = returns.paired_return(seconds(1 + noise + lead), seconds(1 + noise))
    assert (found.blocks, found.mean) == (12, pytest.approx(1e-4, rel=1e-6))
    assert found.lower <= found.mean <= found.upper
    equal = returns.paired_return(seconds(1 + noise), seconds(np.ones(7_201)))
    assert equal.lower < 0 < equal.upper
    assert "over" not in str(equal)
    assert "12 blocks" in str(equal)


def test_an_unknown_interval_is_left_out_of_the_comparison():
    """What happened while a mark was unknown is attributed to no block."""
    jump = np.where(np.arange(7_201) >= 3_600, 1.5, 1.0)
    found = returns.paired_return(seconds(jump, missing=(3_599, 3_600)), seconds(np.ones(7_201)))
    assert (found.mean, found.lower, found.upper) == (0, 0, 0)


def test_few_blocks_have_no_interval():
    """Nine blocks, and no rows at all."""
    short = returns.paired_return(seconds(np.ones(5_400)), seconds(np.ones(5_400)))
    assert (short.blocks, short.mean) == (9, None)
    assert str(short) == "not computed: 9 blocks of 600 s, 10 are needed"
    assert returns.paired_return(seconds([]), seconds([])).blocks == 0


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_of_a_share_is_wilsons(hits, misses):
    """Against scipy."""
    from scipy.stats import binomtest

    count = hits + misses
    if count == 0:
        assert returns.share_interval(0, 0) is None
        return
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert returns.share_interval(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_chance_not_to_be_worse_counts_days_in_pairs():
    """A strategy that earns a little more each day is better in every draw; the same one is never worse."""
    values = of_days(1, 60)
    assert returns.probability_not_worse(values + 0.001, values) == 1
    assert returns.probability_not_worse(values, values) == 1
    assert returns.probability_not_worse(values - 0.001, values) == 0
    other = of_days(2, 60)
    forth, back = returns.probability_not_worse(values, other), returns.probability_not_worse(other, values)
    assert forth + back == pytest.approx(1)
    assert returns.probability_not_worse(values, np.zeros(60)) is None
