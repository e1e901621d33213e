"""Profiles and drift: against definitions, no alarm while a market stands still, one when it has moved."""

import numpy as np
import polars as pl
import pytest

from ml.evaluation import drift
from tests.oracles import drift_peers as peers

ROWS = 8_000


def walk(n, seed, rho=0.9, shift=0.0):
    """A stationary autoregression with unit variance."""
    noise = np.random.default_rng(seed).normal(size=n) * np.sqrt(1 - rho**2)
    values = np.empty(n)
    last = 0.0
    for k in range(n):
        last = values[k] = rho * last + noise[k]
    return values + shift


def frame(values, instrument="sim.X"):
    """One feature `x` of one instrument."""
    return pl.DataFrame({"instrument": [instrument] * len(values), "x": values})


def test_the_profile_is_that_of_numpy():
    """Counts, moments and quantiles of the values that are known."""
    values = [4.0, None, 1.0, 3.0, 2.0, None, 9.0, 7.0]
    row = drift.profile(pl.DataFrame({"x": values}), ["x"]).row(0, named=True)
    known = np.array([v for v in values if v is not None])
    assert (row["rows"], row["coverage"], row["min"], row["max"]) == (8, 0.75, 1.0, 9.0)
    assert row["mean"] == pytest.approx(known.mean())
    assert row["std"] == pytest.approx(known.std(ddof=1))
    assert [row[f"q{q:02d}"] for q in (1, 25, 50, 75, 99)] == pytest.approx(np.percentile(known, (1, 25, 50, 75, 99)))


def test_a_feature_that_is_never_known_has_a_row():
    """Coverage 0 is what a person looks for."""
    row = drift.profile(pl.DataFrame({"x": [None, None]}, schema={"x": pl.Float64()}), ["x"]).row(0, named=True)
    assert (row["coverage"], row["mean"], row["effective_rows"]) == (0.0, None, None)
    assert drift.profile(pl.DataFrame(schema={"x": pl.Float64()}), ["x"])["coverage"].to_list() == [None]


@pytest.mark.parametrize(("rho", "share"), [(0.0, 1.0), (0.9, 0.1 / 1.9)])
def test_effective_rows_follow_the_autocorrelation(rho, share):
    """N (1 - r) / (1 + r), which is what an autoregression's mean knows."""
    rows = drift.profile(frame(walk(50_000, 1, rho)), ["x"])["effective_rows"][0]
    assert rows / 50_000 == pytest.approx(share, rel=0.08)


def test_the_distance_is_the_stability_index():
    """Against a loop over the bins."""
    values = walk(ROWS, 2)
    rng = np.random.default_rng(3)
    baseline = drift.fit(frame(values), ["x"])
    other = rng.normal(0.3, 1, baseline["block_rows"][0])
    edges = baseline["edges"][0].to_list()
    shares = baseline["shares"][0].to_list()
    expected = 0.0
    for low, high, q in zip([-np.inf, *edges], [*edges, np.inf], shares, strict=True):
        p = max(sum(low <= x < high for x in other), 0.5) / len(other)
        q = max(q, 0.5 / len(other))
        expected += (p - q) * np.log(p / q)
    assert drift.compare(frame(other), baseline)["distance"][0] == pytest.approx(expected)
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("rho", [0.0, 0.9, 0.99])
def test_a_market_that_stands_still_raises_no_alarm(rho):
    """However much the rows hang together: of twenty other days at most one is called drift."""
    baseline = drift.fit(frame(walk(ROWS, 4, rho)), ["x"])
    assert sum(drift.compare(frame(walk(2_000, 100 + k, rho)), baseline)["drifted"][0] for k in range(20)) <= 1


@pytest.mark.parametrize("rho", [0.0, 0.9, 0.99])
def test_a_market_that_moved_raises_one(rho):
    """Three standard deviations are drift."""
    baseline = drift.fit(frame(walk(ROWS, 4, rho)), ["x"])
    assert all(drift.compare(frame(walk(2_000, 100 + k, rho, 3.0)), baseline)["drifted"][0] for k in range(20))


def test_leaving_the_range_is_drift_even_for_a_slow_feature():
    """A ramp's blocks are all far from each other, but none has left what was seen."""
    baseline = drift.fit(frame(np.linspace(0, 1, ROWS)), ["x"])
    assert not drift.compare(frame(np.linspace(0.4, 0.5, 1_000)), baseline)["drifted"][0]
    assert drift.compare(frame(np.linspace(1.1, 1.2, 1_000)), baseline)["drifted"][0]


def test_each_instrument_has_its_own_baseline():
    """One of them may be ten times as lively as another, and one too short."""
    parts = [(walk(ROWS, 5), "sim.A"), (10 * walk(ROWS, 6), "sim.B"), (walk(1_999, 7), "sim.C")]
    baseline = drift.fit(pl.concat(frame(values, name) for values, name in parts), ["x"])
    assert baseline["instrument"].to_list() == ["sim.A", "sim.B"]
    assert baseline["edges"][1][-2] > 5 * baseline["edges"][0][-2]


def test_without_rows_there_is_nothing_to_compare():
    """An empty panel, or an interval shorter than a block: no distance, no alarm."""
    empty = drift.fit(frame(np.zeros(0)), ["x"])
    assert (empty.schema, empty.height) == (drift.BASELINE.schema, 0)
    assert drift.compare(frame(walk(100, 1)), empty).height == 0
    short = drift.compare(frame(walk(10, 1)), drift.fit(frame(walk(ROWS, 8)), ["x"]))
    row = short.row(0, named=True)
    assert (row["distance"], row["p_value"], row["blocks"], row["drifted"]) == (None, None, 0, False)
    assert "Nothing was compared" in drift.page(short)


def test_a_feature_of_few_values_has_fewer_bins():
    """A constant never drifts from itself, and does as soon as it takes another value."""
    baseline = drift.fit(frame(np.zeros(ROWS)), ["x"])
    assert baseline["shares"][0].to_list() == [0, 1, 0]
    assert not drift.compare(frame(np.zeros(500)), baseline)["drifted"][0]
    assert drift.compare(frame(np.full(500, -1.0)), baseline)["drifted"][0]


def of_many(count, shifted, seed=1, shift=1.0):
    """The comparison of a day in which some of many features have moved by `shift` standard deviations."""
    names = [f"x{k}" for k in range(count)]
    panel = pl.DataFrame({"instrument": ["sim.X"] * ROWS} | {name: walk(ROWS, k, 0.0) for k, name in enumerate(names)})
    day = {name: walk(2_000, 1_000 * seed + k, 0.0, shift * (name in shifted)) for k, name in enumerate(names)}
    return names, pl.DataFrame(day), drift.fit(panel, names)


def test_of_many_features_few_discoveries_are_false():
    """Forty that stand still: 5 % of days may have one; and four that moved are found."""
    names, day, baseline = of_many(40, {"x3", "x4", "x5", "x6"})
    found = drift.compare(day, baseline)
    assert found.filter("drifted")["feature"].to_list() == ["x3", "x4", "x5", "x6"]
    alone = [drift.compare(of_many(40, set(), seed)[1], baseline)["drifted"].any() for seed in range(2, 22)]
    assert sum(alone) <= 2
    assert found["weight"].to_list() == [1.0] * 40
    assert found["feature"].to_list() == names


def test_chosen_are_those_of_benjamini_and_hochberg():
    """Against scipy, where all weigh alike and none is below its own threshold."""
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(3).beta(0.3, 1, 60)
    columns = {"feature": [str(k) for k in range(60)], "p_value": p, "weight": np.ones(60)}
    found = drift._discoveries(pl.DataFrame(columns))
    assert found == (false_discovery_control(p) <= drift.FALSE_DISCOVERIES).tolist()
    assert sum(found) > 3


def test_features_that_the_model_looks_at_need_less_evidence():
    """One that it never looks at cannot drift; the page says how much of the model the others are."""
    _, day, baseline = of_many(4, {"x0", "x1"})
    found = drift.compare(day, baseline, {"x0": 0.6, "x2": 0.4})
    assert found["weight"].to_list() == pytest.approx([2.4, 0.0, 1.6, 0.0])
    assert found["drifted"].to_list() == [True, False, False, False]
    assert "1 of 4 features drifted; they have 60 % of the weight" in drift.page(found)
    still = drift.page(drift.compare(of_many(4, set(), 5)[1], baseline))
    assert still.startswith("0 of 4 features drifted")
    assert "The nearest to their thresholds:" in still


def test_a_day_has_several_blocks_however_long_the_baseline():
    """A block is three hours of rows a second at most."""
    long = drift.fit(frame(walk(600_000, 1, 0.0)), ["x"])
    assert (long["block_rows"][0], long["blocks"][0]) == (drift.LONGEST_BLOCK, 55)
    assert drift.compare(frame(walk(86_400, 2, 0.0)), long)["blocks"].to_list() == [8]


def rates(days, rho, shift):
    """Share of days called drift by each: ours, and what usual tools do with the same rows."""
    alarms = dict.fromkeys(("leave one block out", *peers.PEERS), 0)
    for k in range(days):
        reference = walk(20_000, 10_000 + k, rho)
        current = walk(2_000, 50_000 + k, rho, shift)
        found = drift.compare(frame(current), drift.fit(frame(reference), ["x"]))
        alarms["leave one block out"] += found["drifted"][0]
        for name, alarmed in peers.PEERS.items():
            alarms[name] += alarmed(reference, current)
    return {name: count / days for name, count in alarms.items()}


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.9, 0.99])
def test_few_false_alarms_and_few_misses_where_usual_tools_always_alarm(rho, capsys):
    """At most 5 % on a market that stands still, at least 85 % after a shift of three standard deviations."""
    still, moved = rates(400, rho, 0.0), rates(200, rho, 3.0)
    with capsys.disabled():
        print(f"\nrho {rho}: false alarms {still}, found {moved}")
    assert still["leave one block out"] <= 0.05
    assert moved["leave one block out"] >= 0.85
    if rho == 0.99:
        assert min(still[name] for name in peers.PEERS) > 0.25
