"""Each rule of the candle tables is broken by the rows that it is about."""

import polars as pl
import pytest

from ml.catalog.tables import RULES
from ml.features.candle.build import build
from ml.labels.targets import label
from ml.tables.rules import evaluate
from tests.support.candles import PAIR, candle_frame


@pytest.fixture(scope="module")
def tables():
    """Both tables of the same candles."""
    candles = candle_frame(1_000)
    return {"candle_features": build(candles, PAIR), "candle_targets": label(candles, PAIR)}


def broken(table, frame):
    return {verdict.rule.name for verdict in evaluate(frame, RULES[table]) if not verdict.passed}


@pytest.mark.parametrize(
    ("table", "change", "rule"),
    [
        ("candle_features", {"rsi": pl.lit(float("inf"))}, "finite_or_null"),
        ("candle_features", {"close": pl.lit(None, pl.Float64)}, "reasons_given"),
        ("candle_features", {"null_reason_price": pl.lit(7)}, "reasons_given"),
        ("candle_features", {"ts": pl.col("ts") + 1}, "one_row_per_candle"),
        ("candle_targets", {"ts": pl.col("ts").reverse()}, "one_row_per_candle"),
        ("candle_targets", {"null_reason_1h": pl.lit(0)}, "reasons_given"),
        ("candle_targets", {"future_return_4h": pl.lit(0.5)}, "reach_what_they_return"),
        ("candle_targets", {"future_return_4h": pl.lit(None, pl.Float64)}, "labelled"),
    ],
)
def test_a_rule_sees_its_breach(tables, table, change, rule):
    """And holds before."""
    assert broken(table, tables[table]) <= {"covered"}
    assert rule in broken(table, tables[table].with_columns(**change))


def test_a_table_that_warms_up_is_not_covered(tables):
    """Of a thousand candles eight hundred have nulls."""
    assert broken("candle_features", tables["candle_features"]) == {"covered"}
    assert broken("candle_features", tables["candle_features"][789:]) == set()
