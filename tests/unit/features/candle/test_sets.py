"""The hash of a set of candle features changes with everything that gives a column its meaning."""

from dataclasses import replace

import pytest

from ml.features.candle.table import UNIFIED


@pytest.mark.parametrize("change", [{"id": "x"}, {"unit": "x"}, {"formula": "x"}, {"needs": 7_777}])
def test_any_change_of_a_column_changes_the_hash(change):
    """Names, units, formulas and look-backs all count."""
    changed = replace(UNIFIED, columns=(replace(UNIFIED.columns[0], **change), *UNIFIED.columns[1:]))
    assert changed.hash != UNIFIED.hash


@pytest.mark.parametrize("change", [{"horizons": ("1h",)}, {"timeframe": "1h"}, {"name": "other"}])
def test_the_set_counts_too(change):
    """The same columns of other candles, or for other targets, are another set."""
    assert replace(UNIFIED, **change).hash != UNIFIED.hash


def test_the_order_counts():
    """A model reads columns by position."""
    assert replace(UNIFIED, columns=UNIFIED.columns[::-1]).hash != UNIFIED.hash


def test_the_look_back_is_that_of_the_slowest():
    """A trailing window of so many candles knows every column."""
    assert UNIFIED.look_back == max(column.needs for column in UNIFIED.columns) == 789
