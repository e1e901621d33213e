"""The paired block test: against loops and a multivariate normal, its level, its power, and what it says it needs."""

from math import ceil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.time import SECOND
from ml.evaluation import ab_test
from ml.evaluation.ab_test import Design
from tests.oracles import ab_test as oracle

DESIGN = Design(60)
DAY_ROWS = 86_400
EVERY = 10
"""Seconds between rows of the simulated days."""


def two_models(seed, rows, one=0.45, other=0.45, every=EVERY, horizon=60, mood=0.05):
    """Losses of two models that are right in a share of rows; both err in spells as long as the horizon.

    Their skill comes and goes over minutes by `mood`, a standard deviation, as that of a model of a market does.
    """
    rng = np.random.default_rng(seed)
    spell = horizon // every
    count = rows // spell + 2
    shift = int(rng.integers(0, spell))
    moods = np.repeat(rng.normal(0, mood, count // 5 + 1), 5)[:count]

    def losses(share):
        wrong = rng.random(count) > share + moods
        return np.repeat(wrong, spell)[shift : shift + rows].astype(float)

    return frame(losses(one), losses(other), every)


def frame(champion, challenger, every=EVERY, instrument="sim.X"):
    return pl.DataFrame(
        {
            "instrument": [instrument] * len(champion),
            "ts": np.arange(len(champion)) * every * SECOND,
            "champion_loss": champion,
            "challenger_loss": challenger,
        }
    )


def run(rows, design, looks):
    """Look after each equal part of the rows until the test ends."""
    earlier = []
    found = None
    for k in range(1, looks + 1):
        found = ab_test.look(rows.head(rows.height * k // looks), design, earlier)
        if found.outcome != "insufficient":
            break
        if found.lower is not None:
            earlier.append(found.fraction)
    return found


@given(st.integers(0, 10_000), st.integers(20, 60), st.integers(2, 8), st.integers(1, 3))
def test_the_standard_error_is_that_of_loops(seed, rows, blocks, per_time):
    """Gaps, several rows at a time, any block length."""
    rng = np.random.default_rng(seed)
    ts = np.sort(np.repeat(rng.choice(100, rows // per_time, replace=False), per_time)).astype(np.int64)
    block = max(int(ts[-1] - ts[0]) // blocks, 1)
    values = rng.integers(-1, 2, len(ts)).astype(float)
    if ab_test.block_count(ts, block) < 2:
        return
    expected = oracle.standard_error(ts.tolist(), values.tolist(), block, 20, seed)
    assert ab_test.standard_error(ts, values, block, 20, seed) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(2, 100), min_size=1, max_size=4, unique=True), st.sampled_from([0.05, 0.1]))
def test_looks_together_spend_alpha_and_no_more(hundredths, alpha):
    """The chance to cross by each look is what the spending function allows, by another way of integrating."""
    fractions = [h / 100 for h in sorted(hundredths)]
    limits = ab_test.boundaries(fractions, alpha)
    for k in range(1, len(fractions) + 1):
        crossed = oracle.crossing_probability(fractions[:k], limits[:k])
        assert crossed == pytest.approx(oracle.spent(fractions[k - 1], alpha), abs=2e-5)
        assert ab_test.spent(fractions[k - 1], alpha) == pytest.approx(oracle.spent(fractions[k - 1], alpha))


def test_boundaries_are_those_of_the_literature():
    """Five equal looks at 5 %, as tables of group-sequential tests give them for this spending function."""
    found = ab_test.boundaries([0.2, 0.4, 0.6, 0.8, 1.0], 0.05)
    assert found == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=2e-3)
    assert ab_test.boundaries([1.0], 0.05) == pytest.approx([1.95996], abs=1e-4)


@pytest.mark.parametrize(
    ("discordance", "effect", "labels", "text"),
    [
        (0.3, 0.02, 5_872, "needs 4.1 symbol-days"),
        (0.3, 0.05, 932, "needs 0.6 symbol-days"),
        (0.3, 0.01, 23_512, "needs 16.3 symbol-days"),
        (0.0, 0.02, 0, "needs 0.0 symbol-days"),
    ],
)
def test_the_data_a_test_needs(discordance, effect, labels, text):
    """The figures of the power formula at a horizon of a minute."""
    design = Design(60, effect)
    assert design.labels(discordance) == pytest.approx(labels, rel=3e-3)  # .84 is rounded there
    assert design.needs(discordance) == text


@given(st.floats(0.001, 1), st.floats(0.001, 0.1), st.sampled_from([10, 30, 60, 600]))
def test_smaller_effects_and_more_discordance_need_more(discordance, effect, horizon):
    """Data needed never fall with discordance, nor rise with the effect or with the power asked for less."""
    design = Design(horizon, effect)
    assert design.labels(discordance) <= design.labels(min(discordance * 1.5, 1.0)) + 1e-9
    assert design.labels(discordance) >= Design(horizon, effect * 1.5).labels(discordance)
    assert design.labels(discordance) >= Design(horizon, effect, power=0.5).labels(discordance)
    assert design.block_ns >= max(600, 10 * horizon) * SECOND


@given(st.integers(0, 1_000))
def test_swapping_the_models_turns_the_interval_round(seed):
    """Gain and bounds change sign, nothing else does."""
    rows = two_models(seed, 1_500, 0.5, 0.4)
    design = Design(60, draws=50)
    one = ab_test.look(rows, design)
    other = ab_test.look(
        rows.rename({"champion_loss": "challenger_loss", "challenger_loss": "champion_loss"}).select(rows.columns),
        design,
    )
    assert (one.gain, one.lower, one.upper) == pytest.approx((-other.gain, -other.upper, -other.lower))
    assert one.fraction == pytest.approx(other.fraction)
    assert (one.outcome == "promote") == (one.lower > 0)
    assert not (one.outcome == "promote" and other.outcome == "promote")


@given(st.integers(0, 1_000))
def test_the_order_of_rows_says_nothing(seed):
    """Time decides which rows belong together, not the order in which they arrive."""
    rows = two_models(seed, 1_200)
    design = Design(60, draws=50)
    assert ab_test.look(rows, design) == ab_test.look(rows.sample(fraction=1, shuffle=True, seed=seed), design)


def test_a_second_instrument_with_the_same_errors_adds_no_evidence():
    """Its labels count as data, but the blocks are those of time: the interval is as wide as before."""
    rows = two_models(1, 3_000)
    both = pl.concat([rows, rows.with_columns(instrument=pl.lit("sim.Y"))])
    one, two = ab_test.look(rows, DESIGN), ab_test.look(both, DESIGN)
    assert (two.lower, two.upper) == pytest.approx((one.lower, one.upper))
    assert two.symbol_days == pytest.approx(2 * one.symbol_days)
    assert two.needed_symbol_days == pytest.approx(2 * one.needed_symbol_days)


def test_the_data_still_needed_are_said():
    """A day of a minute's labels at the discordance of two models that are right half the time."""
    found = ab_test.look(two_models(3, DAY_ROWS // EVERY), DESIGN)
    assert found.outcome == "insufficient"
    assert found.blocks == 144
    assert found.symbol_days == pytest.approx(1.0)
    assert found.more_symbol_days == pytest.approx(found.needed_symbol_days - 1.0)
    assert f"needs {found.needed_symbol_days:.1f} symbol-days, {found.more_symbol_days:.1f} more" in found.detail
    assert found.needed_symbol_days == pytest.approx(1.0 / found.fraction)


def test_with_few_blocks_there_is_no_interval():
    """Nine blocks of ten minutes: the gain is shown, no bound is."""
    found = ab_test.look(two_models(3, 9 * 60, 0.9, 0.1), DESIGN)
    assert (found.outcome, found.lower, found.upper, found.blocks) == ("insufficient", None, None, 9)
    assert "an interval takes 10 blocks, 1.7 h" in found.detail
    none = ab_test.look(two_models(3, 10).clear(), DESIGN)
    assert (none.outcome, none.gain, none.rows) == ("insufficient", None, 0)


def test_models_that_answer_the_same_are_refused_as_challengers():
    """There is nothing to gain, and no more data would change it."""
    rows = two_models(3, 1_000).with_columns(challenger_loss="champion_loss")
    found = ab_test.look(rows, DESIGN)
    assert (found.outcome, found.gain, found.lower, found.more_symbol_days) == ("refuse", 0, 0, 0)


def test_looking_without_new_data_spends_nothing():
    """The same rows again: no bounds, and the plan stands where it stood; after the end there is no look."""
    rows = two_models(3, DAY_ROWS // EVERY)
    first = ab_test.look(rows, DESIGN)
    again = ab_test.look(rows, DESIGN, [first.fraction])
    assert (again.outcome, again.lower, again.fraction) == ("insufficient", None, first.fraction)
    with pytest.raises(ValueError, match="has ended"):
        ab_test.look(rows, DESIGN, [1.0])


@pytest.mark.parametrize(("other", "outcome"), [(0.60, "promote"), (0.30, "refuse")])
def test_a_clear_difference_ends_the_test_early(other, outcome):
    """Fifteen points within a day, looked at every two hours."""
    found = run(two_models(5, DAY_ROWS // EVERY, 0.45, other), DESIGN, 12)
    assert (found.outcome, found.symbol_days < 1.0) == (outcome, True)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.03, 0.05])
def test_a_better_model_is_found_with_the_power_that_was_planned(effect):
    """With the data that the formula asks for at a power of .8, one look: 80 % of 400 pairs, within ten points."""
    design = Design(60, effect=effect)
    share = 0.45
    # both err on their own: discordance is the chance that one alone is right
    discordance = share * (1 - share - effect) + (1 - share) * (share + effect)
    rows = ceil(design.labels(discordance)) * 60 // EVERY
    found = sum(
        run(two_models(seed, rows, share, share + effect, mood=0.0), design, 1).outcome == "promote"
        for seed in range(400)
    )
    assert abs(found / 400 - design.power) <= 0.10


def called_different(seed, design, rows, looks):
    """Whether two equal models are called different, in either direction, at some look."""
    found = run(two_models(seed, rows), design, looks)
    return found.lower is not None and (found.lower > 0 or found.upper < 0)


@pytest.mark.promise("D12")
def test_two_equal_models_are_seldom_called_different():
    """Forty pairs, four looks each, few draws: 5 % is two."""
    design = Design(60, effect=0.05, draws=200)
    assert sum(called_different(seed, design, DAY_ROWS // EVERY, 4) for seed in range(40)) <= 6


@pytest.mark.slow
@pytest.mark.promise("D12")
@pytest.mark.parametrize("looks", [1, 5])
def test_five_hundred_pairs_of_equal_models(looks):
    """At 5 % over all looks together 25 are expected; 35 is the limit of the acceptance."""
    design = Design(60, effect=0.03)
    assert sum(called_different(seed, design, 3 * DAY_ROWS // EVERY, looks) for seed in range(500)) <= 35
