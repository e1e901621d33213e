"""What the feature table claims of each feature is what its code does."""

import numpy as np
import pytest

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.features.tick.build import build
from ml.features.tick.row import feature_row, look_back
from ml.features.tick.table import FAMILIES, FEATURES
from ml.features.tick.windows import empty_windows
from ml.market.book import layout
from ml.tables.schemas import NullReason
from tests.support.samples import prices_times, random_samples, sizes_times

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)
PAIR = Instrument("sim.PAIR", price_decimals=0, size_decimals=0, tick=1, lot=1)
ROWS = 3_700
NOW = 3_619
"""NOW is the last second of a minute: the closed candles reach back as far as they ever do."""
WINDOWS = empty_windows(layout.TAIL)
POSITION = {feature.id: k for k, feature in enumerate(FEATURES)}
each = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.id)


def row(samples, i=NOW, tick=1):
    values = np.full(len(FEATURES), np.nan)
    codes = np.zeros(len(FEATURES), np.uint8)
    look_back(WINDOWS, samples, i)
    feature_row(WINDOWS, samples[i], tick, 60 * 10**9, values, codes)
    return values


@pytest.fixture(scope="module")
def samples():
    return random_samples(ROWS, 7)


@pytest.fixture(scope="module")
def now(samples):
    return row(samples)


@pytest.fixture(scope="module")
def disturbed(samples):
    """A function: the row from samples with other books and flows, and prices moved, in the rows that a slice names."""

    def change(rows, move=5):
        changed = samples.copy()
        others = slice(layout.BID_PRICE, layout.BOOK_AGE)
        changed[rows, others] = random_samples(ROWS, 8)[rows, others]
        changed[rows, layout.BID_SIZE] = changed[rows, layout.ASK_SIZE] = 10**7
        for price in (layout.BID_PRICE, layout.ASK_PRICE):
            changed[rows, price : price + 20] += move
        changed[rows, layout.TRADE_HIGH : layout.TRADE_VOLUME] += move
        changed[rows, layout.LAST_TRADE] += 2 * move
        changed[rows, layout.ASK_PRICE + 1 : layout.ASK_SIZE] += 9
        return row(changed)

    return change


@each
def test_no_feature_looks_back_further_than_declared(now, disturbed, feature):
    """Other samples before the look-back, or after the instant, leave the value bit for bit."""
    k = POSITION[feature.id]
    reach = max(feature.look_back, 1)
    assert disturbed(slice(0, NOW - reach + 1))[k] == now[k]
    assert disturbed(slice(NOW + 1, ROWS))[k] == now[k]


@each
def test_the_declared_look_back_is_used(samples, now, disturbed, feature):
    """The oldest second of the look-back changes the value: re-anchoring need not wait longer than it must."""
    k = POSITION[feature.id]
    oldest = NOW - max(feature.look_back, 1) + 1
    # one of 1 800 seconds moves a median by less than what is between two sizes; a minute does, and is a candle
    last = oldest + (60 if feature.look_back > 301 else 1)
    if feature.family == "context":
        changed = samples.copy()
        changed[NOW, layout.TS] += 3_600 * SECOND
        changed[NOW, layout.BOOK_AGE] += 1
        assert row(changed)[k] != now[k]
    else:
        assert {disturbed(slice(oldest, last), move)[k] for move in (900, -900)} != {now[k]}


@each
def test_a_value_needs_as_many_whole_samples_as_declared(samples, feature):
    """One fewer is null."""
    k = POSITION[feature.id]
    short = samples.copy()
    short[NOW, layout.RUN] = feature.needs
    assert not np.isnan(row(short)[k])
    short[NOW, layout.RUN] = feature.needs - 1
    assert feature.needs == 0 or np.isnan(row(short)[k])


@pytest.fixture(scope="module")
def still(samples):
    """The same book in every second and a single print without volume, an hour ago."""
    found = np.repeat(samples[:1], ROWS, axis=0)
    for column in (layout.TS, layout.RUN, layout.TRADES_RUN):
        found[:, column] = samples[:, column]
    found[:, layout.OFI : layout.LAST_TRADE] = 0
    found[NOW - 3_590, layout.TRADE_COUNT] = 1
    found[NOW - 3_590, layout.TRADE_HIGH : layout.TRADE_VOLUME] = found[0, layout.LAST_TRADE]
    return row(found)


@each
def test_what_stands_where_nothing_happened(still, feature):
    """A number where the table says so, and no null anywhere: a quiet market is no unknown market."""
    value = still[POSITION[feature.id]]
    assert np.isfinite(value)
    if feature.undefined != "null":
        assert value == float(feature.undefined)


def test_what_is_null_where_the_formula_has_no_value(samples):
    """One level per side has no slope and no gap, an hour without a trade no last price and no candle."""
    bare = samples.copy()
    bare[:, layout.OFI : layout.BOOK_AGE] = 0
    for price in (layout.BID_PRICE, layout.ASK_PRICE):
        bare[:, price + 1 : price + 20] = bare[:, price + 21 : price + 40] = 0
    found = build(bare[: NOW + 1], NO_TAIL, PAIR)[NOW]
    null = {feature.id for feature in FEATURES if found[feature.id][0] is None}
    expected = {f"{name}_{side}{end}" for name, end in (("slope", ""), ("gap", "_ticks")) for side in ("bid", "ask")}
    assert null == expected | {"last_trade_dev_bps"} | {f.id for f in FEATURES if f.family == "candles"}
    reasons = {family: found[f"null_reason_{family}"][0] for family in FAMILIES}
    undefined = NullReason.UNDEFINED
    assert reasons == dict.fromkeys(FAMILIES, 0) | dict.fromkeys(("book", "price", "candles"), undefined)


@pytest.fixture(scope="module")
def other_units(samples):
    """The same row with lots of another size, prices of another unit, and a tick of two."""
    in_lots = row(sizes_times(samples, 1_000))
    in_units = row(prices_times(samples, 100), tick=100)
    return in_lots, in_units, row(samples, tick=2)


@each
def test_values_have_no_lot_and_no_price_unit(now, other_units, feature):
    """Every unit is a ratio, ticks, basis points or a rate, so counting lots or prices otherwise is nothing."""
    k = POSITION[feature.id]
    in_lots, in_units, in_ticks = (values[k] for values in other_units)
    assert in_lots == pytest.approx(now[k], rel=1e-9, abs=1e-12)
    assert in_units == pytest.approx(now[k], rel=1e-9, abs=1e-12)
    assert in_ticks == (now[k] / 2 if feature.unit == "ticks" else now[k])


def test_families_stand_together_and_names_once():
    """The null reason of a family covers one interval of columns, of the sizes that the set is known for."""
    order = [FAMILIES.index(feature.family) for feature in FEATURES]
    assert order == sorted(order)
    assert [order.count(k) for k in range(len(FAMILIES))] == [26, 32, 21, 15, 12, 4]
    assert len(POSITION) == len(FEATURES) == 110
    assert all(feature.look_back <= layout.TAIL and feature.needs <= layout.TAIL for feature in FEATURES)
    assert all(feature.formula and feature.unit and feature.source for feature in FEATURES)
