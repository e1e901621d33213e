"""Canaries and parity as Dagster materializes them."""

import dagster as dg
import polars as pl

from assets.datasets import Dataset
from ml.evaluation.backtest_report import CANDIDATE, Outcome
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


def test_both_strategies_traded_the_test_rows(learned):
    """Every decision has an outcome, both began with 1, and a person sees figures, curves and pictures."""
    root, result = learned
    report = document(root, "backtest_report")
    assert [one["name"] for one in report["traded"]] == [CANDIDATE, report["rival"]]
    own = report["traded"][0]
    predictions = stored(root, "fold_predictions", date=None)
    test = predictions.filter(pl.col("part") == "test")
    assert 0 < own["outcomes"][Outcome.DONE] <= sum(own["outcomes"].values()) <= test.height
    assert own["marks"][0][1] == 1
    assert own["marks"][0][0] <= test["ts"].min() < own["marks"][-1][0]
    sealed = predictions.filter(pl.col("part") == "sealed")
    assert own["marks"][-1][0] < sealed["ts"].max()
    assert [figure["claimed"] for figure in report["figures"]] == [0.414, 0.466, 1.5]
    for figure in report["figures"]:
        assert figure["value"] is None or figure["lower"] <= figure["value"] <= figure["upper"]
    for name in ("figures", "strategies", "curve", "against the rival"):
        assert shown(result, "backtest_report")[name].records
    for name in ("equity", "drawdown", "latency", "fee"):
        assert drawn(result, "backtest_report", name)[0].startswith(b"\x89PNG")


def test_dearer_orders_earn_less_and_makers_pay_less(learned):
    """Over the fees of the curve the mean return falls; the kinder queue fills no fewer orders."""
    report = document(learned[0], "backtest_report")
    latency = report["execution"]["entry"] / 1e6
    by_fee = {p["fee_bps"]: p["net_bps"] for p in report["curve"] if p["latency_ms"] == latency}
    nets = [by_fee[fee] for fee in sorted(by_fee)]
    assert len(nets) >= 7
    assert nets == sorted(nets, reverse=True)
    cautious, kinder = (one["outcomes"].get(Outcome.DONE, 0) for one in report["makers"])
    assert cautious <= kinder


def test_scores_of_folds_and_slices(learned):
    """Five folds each way, and slices by instrument, hour and volatility."""
    root, result = learned
    report = document(root, "walk_forward_report")
    assert [len(report[kind]) for kind in ("expanding", "sliding")] == [5, 5]
    assert report["expanding"][0] == report["sliding"][0]
    assert {row["by"] for row in report["slices"]} == {"instrument", "hour", "regime"}
    assert shown(result, "walk_forward_report")["slices"].records
