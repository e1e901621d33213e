"""The two sets hold the columns of the predecessor's arrays, each with its fault."""

import pytest

from ml.features.legacy.feature import TWICE, LegacyFeature
from ml.features.legacy.table import ABSENT, LEGACY_110, LEGACY_112, LEGACY_SETS
from ml.features.sets import SETS

FIRST_AND_LAST = {
    0: "bid_ask_spread_abs",
    49: "spread_volatility",
    50: "open",
    74: "gap_size",
    75: "sma_10",
    109: "nvi",
}


def test_the_order_is_that_of_the_files():
    """Fifty of the book, twenty-five of the minute, thirty-five or thirty-seven indicators."""
    for chosen in LEGACY_SETS.values():
        assert {k: chosen.columns[k] for k in FIRST_AND_LAST} == FIRST_AND_LAST
        assert len(set(chosen.columns)) == len(chosen.columns) == int(chosen.name.removeprefix("legacy_"))
        families = [feature.family for feature in chosen.features]
        assert [families.count(f) for f in ("orderbook", "candle")] == [50, 25]
    assert LEGACY_112.columns[:110] == LEGACY_110.columns
    assert LEGACY_112.columns[110:] == ["aroon_up", "aroon_down"]


def test_hashes_are_their_own():
    """Another set, another hash."""
    sets = (*SETS.values(), *LEGACY_SETS.values())
    assert len({chosen.hash for chosen in sets}) == len(sets)


def test_a_column_is_kept_with_its_fault_or_null_with_a_reason():
    """Never both."""
    for feature in LEGACY_112.features:
        assert isinstance(feature, LegacyFeature)
        assert not (feature.fault and feature.absent)
        assert (feature.id in ABSENT) == bool(feature.absent)
    assert len(ABSENT) == 25


@pytest.mark.parametrize("chosen", LEGACY_SETS.values(), ids=lambda chosen: chosen.name)
def test_what_is_said_to_stand_twice_does(days, chosen):
    """The exact duplicates of the old list, and those that follow from its formulas."""
    prefix = TWICE.format("")
    rows = days[chosen.name][1]
    twice = {f.id: f.fault.removeprefix(prefix) for f in chosen.features if f.fault.startswith(prefix)}
    assert {"liquidity_bid_5", "liquidity_ask_5", "depth_imbalance_ratio", "vwap"} <= set(twice)
    assert all(rows[name].equals(rows[other]) for name, other in twice.items())
