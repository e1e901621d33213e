"""Canaries and parity as Dagster materializes them."""

import dagster as dg
import polars as pl

from assets.datasets import Dataset
from tests.integration.assets.play import DATE, checks, document, drawn, make, shown, spoil, stored


def test_every_canary_sings(learned):
    """Four of them, with number and limit, as a table a person can read."""
    root, result = learned
    report = document(root, "canary_report")
    assert [c["name"] for c in report] == ["truncation", "future_scramble", "planted_leak", "null_market"]
    assert all(c["passed"] == (c["value"] <= c["limit"]) for c in report)
    assert len(shown(result, "canary_report")["canaries"].records) == 4


def test_every_stored_row_was_compared(learned):
    """The live path gave each row of both days, bit for bit."""
    root, result = learned
    report = document(root, "parity_report")
    rows = sum(stored(root, "features", date).height for date in ("2025-03-03", "2025-03-04"))
    assert (report["rows"], report["mismatches"], report["first_mismatch"]) == (rows, 0, "")
    assert shown(result, "parity_report")["rows_with_values"].value == report["rows_with_values"] > 0.8 * rows
    assert drawn(result, "parity_report", "rows by verdict")[0].startswith(b"\x89PNG")
    assert checks(result)["parity_report", "parity"]


def test_one_changed_value_is_a_mismatch(root):
    """The report counts it and names its column; it raises nothing, since the gate decides."""
    victim = stored(root, "features")["ts"][1_200]
    changed = pl.when(pl.col("ts") == victim).then(pl.col("spread_bps") + 1e-12).otherwise("spread_bps")
    spoil(root, "features", lambda f: f.with_columns(spread_bps=changed))
    second = dg.RunConfig(ops={name: Dataset(start=DATE) for name in ("label_spec", "dataset_panel")})
    result = make(root, "label_spec", "dataset_panel", "parity_report", date=None, run_config=second)
    report = document(root, "parity_report")
    assert report["mismatches"] == 1
    assert not checks(result)["parity_report", "parity"]
    assert f"{victim} spread_bps" in report["first_mismatch"]
