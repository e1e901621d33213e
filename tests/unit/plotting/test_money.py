"""Plots of a backtest: PNG files, the same for the same report, and none where nothing was traded."""

from dataclasses import replace

import pytest

from ml.core.time import MINUTE
from ml.evaluation.backtest_report import BacktestReport, Execution, Point, Traded
from ml.evaluation.returns import Sharpe
from ml.plotting import money

HOW = Execution()


def traded(name, values):
    marks = [(k * MINUTE, value) for k, value in enumerate(values)]
    return Traded(name, {"done": 3}, 0.5, 0.1, 0.9, 1.0, None, None, 2.0, Sharpe(1, *[None] * 4), [], marks)


def report(*values):
    points = [Point(ms, 5.0, 3, 0.5, -1.0 - ms / 100, -2.0 - ms / 100, ms / 100) for ms in (0, 100.0, 500)]
    points += [Point(100.0, fee, 3, 0.5, 4.0 - 2 * fee, None, None) for fee in (0.0, 5.0, 10.0)]
    both = [traded("candidate", values), traded("majority", [1.0, None, 0.9])]
    return BacktestReport("sha", "majority", HOW, both, curve=points)


def test_four_plots_of_what_was_traded():
    """The same bytes for the same report, others for another; unknown marks and bounds are left white."""
    drawn = money.of_backtest(report(1.0, None, 1.1))
    assert list(drawn) == ["equity", "drawdown", "latency", "fee"]
    assert all(png.startswith(b"\x89PNG") for png in drawn.values())
    assert money.of_backtest(report(1.0, None, 1.1)) == drawn
    other = money.of_backtest(report(1.0, None, 0.8))
    assert other["equity"] != drawn["equity"]
    assert other["drawdown"] != drawn["drawdown"]
    assert other["fee"] == drawn["fee"]


def test_nothing_traded_is_not_drawn():
    """A candidate that was not trained has no picture, and no table either."""
    none = BacktestReport("sha", "nobody", HOW)
    assert money.of_backtest(none) == {}
    assert none.tables() == {}


@pytest.mark.parametrize(("over", "expected"), [(0, [0, 100.0, 500]), (1, [0.0, 5.0, 10.0])])
def test_each_curve_holds_its_own_points(over, expected):
    """Once each, in order: those at the fee in force, and those at the latency in force."""
    points = money.curves(report(1.0))[over]
    assert [point.latency_ms if over == 0 else point.fee_bps for point in points] == expected


def test_a_strategy_without_marks_is_an_empty_line():
    """No decision was made: the picture is there all the same."""
    empty = replace(report(1.0), traded=[traded("candidate", []), traded("majority", [])])
    assert money.of_backtest(empty)["equity"].startswith(b"\x89PNG")
