"""Rules as asset checks: every rule is attached, and a broken one does what it says."""

from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from assets.checks import leak_results, rule_results, rule_specs
from ml.catalog.tables import RULES
from ml.evaluation.findings import Canary
from tests.integration.assets.play import graph, stored


@pytest.mark.parametrize("table", RULES)
def test_every_rule_is_a_check_of_its_table(table):
    """Name, statement and whether it blocks are the rule's own; canaries of features are checks that block, too."""
    specs = {s.name: s for asset in graph() for s in asset.check_specs if s.asset_key == dg.AssetKey(table)}
    leaks = [specs.pop(name) for name in list(specs) if name.startswith(("no_leak_", "canary_"))]
    assert all(spec.blocking for spec in leaks)
    assert (len(leaks) > 0) == (
        table in ("features", "spoofing_pressure", "candle_features", "legacy_110", "legacy_112")
    )
    assert {name: (s.blocking, s.description) for name, s in specs.items()} == {
        rule.name: (rule.blocking, rule.description) for rule in RULES[table]
    }


@pytest.mark.parametrize("table", RULES)
def test_a_broken_rule_says_how_many_rows(table, monkeypatch):
    """An error where it blocks, a warning where it does not, with the count of rows that break it."""
    frame = pl.DataFrame({"ts": [1, 2, 3]})
    monkeypatch.setitem(RULES, table, tuple(replace(r, violations=lambda f: f.height + 7) for r in RULES[table]))
    results = {result.check_name: result for result in rule_results(table, frame)}
    for rule in RULES[table]:
        result = results.pop(rule.name)
        assert not result.passed
        assert (result.severity == dg.AssetCheckSeverity.ERROR) == rule.blocking
        assert result.metadata["rows in violation"].value == frame.height + 7
        assert result.metadata["rows"].value == frame.height
    assert results == {}


@pytest.mark.parametrize("blocking", [True, False])
def test_only_a_blocking_rule_stops_what_depends_on_it(blocking, ingested, monkeypatch):
    """In a run: the table is stored either way, what follows is made only after a warning."""
    rule = replace(RULES["trades"][0], violations=lambda _: 1, blocking=blocking)
    monkeypatch.setitem(RULES, "trades", (rule,))

    @dg.asset(check_specs=rule_specs("trades"))
    def trades():
        yield dg.MaterializeResult()
        yield from rule_results("trades", stored(ingested, "trades"))

    @dg.asset(deps=[trades])
    def follower(): ...

    result = dg.materialize([trades, follower], raise_on_error=False)
    assert result.success == (not blocking)
    assert [e.asset_key.path[-1] for e in result.get_asset_materialization_events()] == ["trades", "follower"][
        : 2 - blocking
    ]


def test_one_dead_canary_fails_the_check_of_its_set():
    """The others stand; a person sees which one died and of what."""
    well = Canary("truncation", True, 0, 0, "")
    dead = Canary("warm_up", False, 3, 0, "first qi_1")
    results = {r.check_name: r for r in leak_results("features", {"base_110": [well, dead], "base_35": [well]})}
    assert {name: result.passed for name, result in results.items()} == {
        "no_leak_base_110": False,
        "no_leak_base_35": True,
    }
    assert "first qi_1" in str(results["no_leak_base_110"].metadata["canaries"].records)
