"""Profiles and drift as Dagster materializes them."""

import polars as pl

from assets.drift import AS_TRAINED
from ml.evaluation import drift
from ml.features.sets import BASE
from tests.integration.assets.play import checks, copy_of, make, spoil, stored


def test_a_day_has_its_profile(rebuilt):
    """A row per feature of the set, in the table's order."""
    root, _ = rebuilt
    rows = stored(root, "feature_profile")
    assert rows["feature"].to_list() == BASE.columns
    assert rows["rows"].unique().to_list() == [stored(root, "features").height]


def report(root):
    """Whether the check passed, and the report."""
    result = make(root, "drift_report")
    return checks(result)["drift_report", AS_TRAINED.name], stored(root, "drift_report")


def test_a_feature_that_moved_is_named(learned, tmp_path):
    """Other features keep their distance; the check warns and names the one."""
    root = copy_of(learned[0], tmp_path)
    _, before = report(root)
    spoil(root, "features", lambda f: f.with_columns(spread_bps=pl.col("spread_bps") * 1e3))
    passed, found = report(root)
    assert not passed
    assert found.filter(feature="spread_bps")["drifted"].item()
    assert found.filter(pl.col("feature") != "spread_bps").equals(before.filter(pl.col("feature") != "spread_bps"))


def test_nothing_to_compare_with_is_no_pass(learned, tmp_path, monkeypatch):
    """Too short a panel has no baseline: the check says so instead of passing."""
    root = copy_of(learned[0], tmp_path)
    monkeypatch.setattr(drift, "MIN_BLOCK_ROWS", 10**6)
    make(root, "drift_baseline", date=None)
    passed, found = report(root)
    assert (passed, found.height) == (False, 0)
