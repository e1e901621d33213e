"""Leak canaries of the predecessor's columns: silent on honest rows, and each dies of its leak."""

import polars as pl
import pytest

from ml.evaluation.canaries import legacy
from ml.features.legacy.build import build
from tests.support import legacy_days

TIMES = 25


@pytest.fixture
def days():
    """By set: what rows are made of, and the rows."""
    return legacy_days.days()


def verdicts(day, rows):
    return {canary.name: canary for canary in legacy.run(day, rows, TIMES)}


@pytest.mark.parametrize("name", ["legacy_110", "legacy_112"])
def test_honest_rows_change_with_nothing(days, name):
    """Every column that is computed, with a gap of the book and quiet minutes."""
    found = verdicts(*days[name])
    assert list(found) == ["truncation", "future_scramble", "planted_leak"]
    assert all(canary.passed for canary in found.values()), found


@pytest.mark.parametrize(
    ("column", "shift"), [("imbalance_5", -1), ("close", -60), ("ema_50", -60), ("kyle_lambda", -3)]
)
def test_a_value_of_later_kills_both(days, column, shift):
    """A column that is shifted back in time."""
    day, rows = days["legacy_112"]
    found = verdicts(day, rows.with_columns(pl.col(column).shift(shift)))
    assert not found["truncation"].passed
    assert not found["future_scramble"].passed


def test_a_longer_memory_than_declared_is_found(days):
    """An average over all the past is not that of the look-back."""
    day, rows = days["legacy_112"]
    found = verdicts(day, rows.with_columns(pl.col("spread_volatility") + pl.int_range(pl.len()) * 1e-3))
    assert not found["truncation"].passed


def test_a_blind_truncation_would_be_noticed(days, monkeypatch):
    """If nothing that is planted were found, the planted leak says so."""
    monkeypatch.setattr(legacy, "truncated", lambda *_: 0)
    assert not verdicts(*days["legacy_112"])["planted_leak"].passed


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows_show_no_leak(days, rows):
    """What cannot be compared fails no check."""
    day, _ = days["legacy_112"]
    short = day._replace(samples=day.samples[:rows])
    assert all(canary.passed for canary in legacy.run(short, build(short)))
