"""Every feature against its slow oracle, on simulated and on recorded books, and what makes a whole row null."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick import row
from ml.features.tick.build import NAMES, REASONS, build
from ml.features.tick.table import FAMILIES, FEATURES
from ml.features.tick.windows import empty_windows
from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.market.days.tables import samples_array, samples_frame
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate
from ml.tables.schemas import NullReason
from tests.oracles import feature_row, features

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)
ROWS = 4_300
ASKED = [*range(61, ROWS, 353), 3_599, 3_600, 3_659, ROWS - 1]
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def samples():
    """An hour and more of a simulated market."""
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(3, ROWS, Alpha(0.1))), 1_741_000_000 * 10**9))
    return sampler.samples[: sampler.released].copy()


@pytest.fixture(scope="module")
def rows(samples):
    return build(samples, NO_TAIL, INSTRUMENT)


@pytest.fixture(scope="module")
def slow(samples):
    return {i: feature_row.row(samples, i, INSTRUMENT.tick) for i in ASKED}


def compare(name, rows, slow):
    """How many rows have a value; each must be the oracle's to 1e-9, and be missing where the oracle has none."""
    pairs = [(rows[name][i], slow[i].get(name)) for i in slow if rows[name][i] is not None]
    assert all(should is not None for _, should in pairs), name
    np.testing.assert_allclose(*zip(*pairs, strict=True), rtol=1e-9, atol=1e-9, err_msg=name)
    return len(pairs)


@each
def test_a_feature_equals_its_oracle(rows, slow, name):
    """Plain loops over the whole window: no running sum, no heap, no state."""
    assert compare(name, rows, slow) >= 3


def test_recorded_rows_equal_their_oracle_too(market):
    """Real books have holes, thin levels and quiet seconds."""
    from tests.support.scenario import recorded_samples

    samples, instrument = recorded_samples(market, "eth")
    rows = build(samples, NO_TAIL, instrument)
    slow = {i: feature_row.row(samples, i, instrument.tick) for i in range(62, len(samples), 23)}
    seen = {name: compare(name, rows, slow) for name in NAMES if rows[name].is_not_null().sum() > 100}
    assert len(seen) >= 95
    assert min(seen.values()) >= 4


def test_recorded_rows_equal_their_expressions_too(market):
    """Another engine over every row, for the features of the short set."""
    from tests.support.scenario import recorded_samples

    samples, instrument = recorded_samples(market, "eth")
    rows = build(samples, NO_TAIL, instrument)
    frame = samples_frame(samples)
    frame = frame.with_columns(
        S=pl.Series([features.median_size(frame, i) for i in range(frame.height)], dtype=pl.Float64)
    )
    for name, expression in features.expressions(instrument.tick).items():
        both = pl.DataFrame({"is": rows[name], "should": frame.select(x=expression)["x"]}).drop_nulls("is")
        assert both.height >= 400, name
        np.testing.assert_allclose(both["is"].to_numpy(), both["should"].to_numpy(), rtol=1e-9, atol=1e-9, err_msg=name)


def test_a_row_writes_every_feature_and_nothing_else(samples):
    """One value per feature: the families' functions meet without a hole and without an overlap."""
    windows = empty_windows(layout.TAIL)
    values = np.full(len(FEATURES) + 1, -7.0)
    row.look_back(windows, samples, ROWS - 10)
    row._compute(windows, samples[ROWS - 10], 1, values[:-1])
    assert values[-1] == -7.0
    assert not (values[:-1] == -7.0).any()
    assert [row.FAMILY[first] for first in row.FIRST] == list(range(len(FAMILIES)))


@settings(max_examples=20, deadline=None)
@given(st.integers(61, ROWS - 2), st.integers(0, 2**32 - 1))
def test_the_future_changes_nothing(samples, rows, at, seed):
    """Cutting off or scrambling all samples after t leaves every row up to t as it was."""
    scrambled = samples.copy()
    scrambled[at + 1 :, 1:] = np.random.default_rng(seed).integers(0, 10**6, scrambled[at + 1 :, 1:].shape)
    assert build(samples[: at + 1], NO_TAIL, INSTRUMENT).equals(rows[: at + 1])
    assert build(scrambled, NO_TAIL, INSTRUMENT)[: at + 1].equals(rows[: at + 1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"valid": False, "bid_price_1": None, "ask_price_1": None}, NullReason.INVALID_BOOK),
        ({"valid": False, "bid_price_1": None}, NullReason.ONE_SIDED),
        ({"book_age": 61 * 10**9}, NullReason.STALE),
    ],
)
def test_a_whole_row_is_null_with_its_reason(samples, change, reason):
    """Book unknown, one side empty, book too old: no feature has a value."""
    frame = samples_frame(samples[:400])
    changed = frame.with_columns(
        pl.when(pl.col("ts") == frame["ts"][300]).then(pl.lit(v)).otherwise(pl.col(c)).cast(frame.schema[c]).alias(c)
        for c, v in change.items()
    )
    rows = build(samples_array(changed), NO_TAIL, INSTRUMENT)
    assert rows[300].select(pl.all_horizontal(pl.col(NAMES).is_null())).item()
    assert set(rows.select(REASONS).row(300)) == {reason}


def test_the_reason_of_a_family_is_the_first_that_holds():
    """Of the reasons of its features the smallest; none where all have a value."""
    codes = np.zeros(len(FEATURES), np.uint8)
    reasons = np.full(len(FAMILIES), 9, np.uint8)
    codes[[0, 1]] = (5, 3)
    codes[-1] = 4
    row.family_reasons(codes, reasons)
    assert reasons.tolist() == [3, 0, 0, 0, 0, 4]
