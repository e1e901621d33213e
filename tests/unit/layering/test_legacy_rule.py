"""The predecessor's rule: what it finds, and that it misses layers among other orders."""

from dataclasses import replace

from ml.layering.legacy_rule import LegacyRule, LegacySettings, alerts
from tests.support.layered import INSTRUMENT, START, layered

SECOND = 10**9


def played(sizes, settings=None, traded=2_000):
    """Alerts on bids: each second one more than before, at lower prices, and those of the second before are gone."""
    rule = LegacyRule(INSTRUMENT, settings or LegacySettings())
    found = []
    for k in range(len(sizes) + 1):
        view = {1: {10_000 - i: size for i, size in enumerate(sizes[:k], start=5 * k)} | {9_000: 1}, -1: {10_001: 5}}
        rule.trade(START + k * SECOND, 1, traded)
        found += list(rule.update(START + k * SECOND, view))
    return [alert for alert in found if alert.side == 1]


def test_equal_orders_that_come_and_go_are_an_alert():
    """All of its five parts are high: volume, timing, cancellations, trades, impact counts for little."""
    assert max(alert.score for alert in played([1_000] * 6)) >= LegacySettings().alert


def test_orders_of_unequal_size_are_none():
    """A coefficient of variation above 0.3, as every natural group has."""
    assert played([1_000, 5_000, 1_000, 9_000, 1_000, 4_000])[3:] == []


def test_its_settings_are_the_users():
    """Thresholds move what is collected."""
    strict = replace(LegacySettings(), min_volume=1e9)
    assert played([1_000] * 6, strict) == []


def test_it_finds_nothing_in_layers_among_other_orders():
    assert [a for a in alerts(INSTRUMENT, *layered().streams()) if a.score >= LegacySettings().alert] == []
