"""Counting the rows that break a rule."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.tables.rules import Judged, Rule, Verdict, evaluate

FRAME = pl.DataFrame({"x": [1, -1, None, -3, 5]})
NEGATIVE = Rule("negative", pl.col("x") < 0, True, "x is not negative.")
FALLS = Rule("falls", lambda frame: int((frame["x"].diff() < 0).sum()), False, "x never falls.")
UNKNOWN = Rule("unknown", pl.col("x").is_null(), False, "x is known.", tolerated=0.2)


def test_each_rule_counts_its_own_rows():
    """Expressions and functions side by side, in the order given; a null breaks no rule."""
    verdicts = evaluate(FRAME, [FALLS, NEGATIVE, UNKNOWN])
    assert [(v.rule, v.broken, v.rows) for v in verdicts] == [(FALLS, 1, 5), (NEGATIVE, 2, 5), (UNKNOWN, 1, 5)]


@pytest.mark.parametrize("rules", [[FALLS], [NEGATIVE], [], [FALLS, FALLS]], ids=len)
def test_any_mixture_of_rules_can_be_asked(rules):
    """Only functions, only expressions, none at all."""
    assert [v.rule for v in evaluate(FRAME, rules)] == rules


@pytest.mark.parametrize(
    ("broken", "rows", "tolerated", "passed"),
    [(0, 0, 0.0, True), (1, 100, 0.0, False), (5, 100, 0.05, True), (6, 100, 0.05, False), (1, 0, 0.5, False)],
)
def test_a_share_of_rows_may_be_tolerated(broken, rows, tolerated, passed):
    """Exactly the tolerated share still passes."""
    assert Verdict(Rule("r", pl.lit(1), False, "", tolerated), broken, rows).passed is passed


def test_a_frame_without_rows_breaks_no_expression():
    """Sums over nothing are 0, not null."""
    assert [v.broken for v in evaluate(FRAME.clear(), [NEGATIVE, UNKNOWN])] == [0, 0]


@given(st.lists(st.none() | st.integers(-3, 3)), st.lists(st.integers(0, 6)))
def test_a_table_that_goes_by_in_parts_is_judged_as_a_whole(values, sizes):
    """Wherever it is cut, with rules that look at a row and at the one before it; the parts pass as they are."""
    rules = [NEGATIVE, Rule("sinks", pl.col("x").diff() < 0, True, "x never sinks.")]
    whole = pl.DataFrame({"x": values}, schema={"x": pl.Int64})
    rest = 0
    parts = []
    for size in sizes:
        parts.append(whole[rest : rest + size])
        rest += size
    judged = Judged(rules)
    assert pl.concat(judged.passing([*parts, whole[rest:]])).equals(whole)
    assert judged.verdicts() == evaluate(whole, rules)
