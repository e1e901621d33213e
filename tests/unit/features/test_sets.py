"""The hash of a feature set changes with everything that gives a column its meaning."""

from dataclasses import replace

import pytest

from ml.core.errors import SettingsError
from ml.features.sets import ALL, BASE, BASE_PRESSURE, SETS, WHOLE, feature_set
from ml.features.tick.table import FEATURES


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"unit": "x"},
        {"formula": "x"},
        {"look_back": 7},
        {"needs": 7},
        {"undefined": "x"},
        {"family": "flow"},
        {"source": "x"},
    ],
)
def test_any_change_of_a_feature_changes_the_hash(change):
    """Names, units, formulas, windows and null policies all count."""
    changed = replace(BASE, features=(replace(BASE.features[0], **change), *BASE.features[1:]))
    assert changed.hash != BASE.hash


def test_the_order_counts():
    """A model reads columns by position."""
    assert replace(BASE, features=BASE.features[::-1]).hash != BASE.hash


def test_a_set_is_found_by_its_name():
    """Its name says how many features it has."""
    assert feature_set("base_35") is BASE
    assert feature_set("base_110") is WHOLE
    sizes = {"base_110": 110, "base_35": 35, "base_35_pressure": 41}
    assert {name: len(chosen.features) for name, chosen in SETS.items()} == sizes
    assert len({chosen.hash for chosen in SETS.values()}) == len(SETS)
    with pytest.raises(SettingsError, match="base_35"):
        feature_set("base_1")


def test_positions_find_the_columns_in_a_whole_row():
    """A model of a subset picks its values out of the row that live computes."""
    assert [FEATURES[k].id for k in BASE.positions] == BASE.columns
    assert WHOLE.positions == list(range(110))
    assert [ALL[k].id for k in BASE_PRESSURE.positions] == BASE_PRESSURE.columns
    assert BASE_PRESSURE.columns[:35] == BASE.columns


def test_the_sets_of_samples_know_nothing_of_lots():
    """Models and stored days of theirs stay valid whatever becomes of spoofing pressure."""
    assert BASE_PRESSURE.has_pressure
    assert not BASE.has_pressure
    assert "pressure" in BASE_PRESSURE.code_version
    assert "pressure" not in BASE.code_version + WHOLE.code_version
