"""What the feature table claims of each feature is what its code does."""

import numpy as np
import pytest

from ml.features.build import build
from ml.features.row import feature_row
from ml.features.table import FAMILIES, FEATURES
from ml.instruments import Instrument
from ml.market import layout
from ml.schemas import NullReason
from tests.samples import prices_times, random_samples, sizes_times

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)
PAIR = Instrument("sim.PAIR", price_decimals=0, size_decimals=0, tick=1, lot=1)
ROWS, NOW = 2_100, 2_050
POSITION = {feature.id: k for k, feature in enumerate(FEATURES)}
each = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.id)


def row(samples, i=NOW, tick=1):
    values, reasons = np.full(len(FEATURES), np.nan), np.zeros(len(FAMILIES), np.uint8)
    feature_row(samples, i, tick, np.empty(layout.TAIL, np.int64), values, reasons)
    return values


@pytest.fixture(scope="module")
def samples():
    return random_samples(ROWS, 7)


@pytest.fixture(scope="module")
def disturbed(samples):
    """A function: the samples with other books and flows in the rows that a slice names."""

    def change(rows):
        changed = samples.copy()
        others = slice(layout.BID_PRICE, layout.BOOK_AGE)
        changed[rows, others] = random_samples(ROWS, 8)[rows, others]
        changed[rows, layout.BID_SIZE] = changed[rows, layout.ASK_SIZE] = 10**7
        changed[rows, layout.BID_PRICE] += 5
        changed[rows, layout.ASK_PRICE + 1 : layout.ASK_SIZE] += 9
        return row(changed)

    return change


@each
def test_no_feature_looks_back_further_than_declared(samples, disturbed, feature):
    """Other samples before the look-back, or after the instant, leave the value bit for bit."""
    k, reach = POSITION[feature.id], max(feature.look_back, 1)
    assert disturbed(slice(0, NOW - reach + 1))[k] == row(samples)[k]
    assert disturbed(slice(NOW + 1, ROWS))[k] == row(samples)[k]


@each
def test_the_declared_look_back_is_used(samples, disturbed, feature):
    """The oldest second of the look-back changes the value: re-anchoring need not wait longer than it must."""
    k, oldest = POSITION[feature.id], NOW - max(feature.look_back, 1) + 1
    # one of 1 800 seconds moves a median by less than what is between two sizes; fifty do
    last = oldest + (50 if feature.look_back > 60 else 1)
    assert disturbed(slice(oldest, last))[k] != row(samples)[k]


@each
def test_a_value_needs_as_many_whole_samples_as_declared(samples, feature):
    """One fewer is null."""
    k, short = POSITION[feature.id], samples.copy()
    short[NOW, layout.RUN] = feature.needs
    assert not np.isnan(row(short)[k])
    short[NOW, layout.RUN] = feature.needs - 1
    assert feature.needs == 0 or np.isnan(row(short)[k])


@each
def test_what_stands_where_the_formula_has_no_value(samples, feature):
    """`0` where nothing happened in the window; `null` where a side has a single level or the book is crossed."""
    quiet = samples.copy()
    quiet[:, layout.OFI : layout.LAST_TRADE] = 0
    for price in (layout.BID_PRICE, layout.ASK_PRICE):
        quiet[:, price + 1 : price + 20] = quiet[:, price + 21 : price + 40] = 0
    found = build(quiet, NO_TAIL, PAIR)
    value, reason = found[feature.id][NOW], found[f"null_reason_{feature.family}"][NOW]
    undefined = feature.id.startswith(("slope", "gap"))
    assert (value is None) == undefined
    assert reason == (NullReason.UNDEFINED if feature.family == "book" else NullReason.NONE)
    if feature.undefined == "0" or feature.id.startswith(("ofi", "update", "trade")):
        assert value == 0.0


@each
def test_values_have_no_lot_and_no_price_unit(samples, feature):
    """Every unit is a ratio, ticks, basis points or a rate, so counting lots or prices otherwise is nothing."""
    k, now = POSITION[feature.id], row(samples)
    assert row(sizes_times(samples, 1_000))[k] == pytest.approx(now[k], rel=1e-9)
    assert row(prices_times(samples, 100), tick=100)[k] == pytest.approx(now[k], rel=1e-9)
    if feature.unit == "ticks":
        assert row(samples, tick=2)[k] == now[k] / 2


def test_families_stand_together_and_names_once():
    """The null reason of a family covers one stretch of columns."""
    order = [FAMILIES.index(feature.family) for feature in FEATURES]
    assert order == sorted(order)
    assert len(POSITION) == len(FEATURES)
    assert {feature.undefined for feature in FEATURES} == {"null", "0"}
