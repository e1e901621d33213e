"""Plots of a backtest: equity and drawdown over time, accuracy and net return over latency and fee.

Here: one function a plot, and all of them together.
Not here: what is drawn (`ml.evaluation.money`), where it is shown (`assets.metadata`, `ml.promotion.registry`).
"""

from collections.abc import Sequence

import numpy as np

from ml.core.time import HOUR
from ml.evaluation.backtest_report import BacktestReport, Point, Traded
from ml.evaluation.returns import drawdown
from ml.plotting.figures import empty, png


def of_backtest(report: BacktestReport) -> dict[str, bytes]:
    """All plots by name; none where nothing was traded."""
    if not report.traded:
        return {}
    traded = [*report.traded, *report.makers]
    by_latency, by_fee = curves(report)
    return {
        "equity": equity(traded),
        "drawdown": drawdowns(traded),
        "latency": curve(by_latency, "latency_ms", "latency of an order (ms)"),
        "fee": curve(by_fee, "fee_bps", "fee of an order (bps)"),
    }


def curves(report: BacktestReport) -> tuple[list[Point], list[Point]]:
    """The points over latency at the fee in force, and those over fees at the latency in force."""
    fee = 1e4 * report.execution.taker_fee
    latency = report.execution.entry / 1e6
    by_latency = {point.latency_ms: point for point in report.curve if np.isclose(point.fee_bps, fee)}
    by_fee = {round(point.fee_bps, 6): point for point in report.curve if point.latency_ms == latency}
    return [by_latency[ms] for ms in sorted(by_latency)], [by_fee[bps] for bps in sorted(by_fee)]


def equity(traded: Sequence[Traded]) -> bytes:
    """Equity after fees of each strategy, marked to the market; white where it is not known."""
    figure, axes = empty(8, 3)
    for one in traded:
        hours, values = _marks(one)
        axes.plot(hours, values, linewidth=0.8, label=one.name)
    axes.set(xlabel="hours", ylabel="equity", title="Equity after fees")
    axes.legend(fontsize=7)
    return png(figure)


def drawdowns(traded: Sequence[Traded]) -> bytes:
    """How far each strategy is below its highest equity so far."""
    figure, axes = empty(8, 2.4)
    for one in traded:
        hours, values = _marks(one)
        known = np.isfinite(values)
        axes.plot(hours[known], 100 * drawdown(values[known]), linewidth=0.8, label=one.name)
    axes.set(xlabel="hours", ylabel="%", title="Drawdown")
    axes.legend(fontsize=7)
    return png(figure)


def curve(points: Sequence[Point], over: str, label: str) -> bytes:
    """Share of round trips that earned something, and the mean net return with its interval."""
    figure, axes = empty(5.5, 3)
    at = [getattr(point, over) for point in points]
    axes.plot(at, [_number(point.win_rate, 100) for point in points], "o-", color="tab:blue")
    axes.set(xlabel=label, ylabel="round trips that earn (%)", title="Accuracy after costs")
    beside = axes.twinx()
    net = np.array([_number(point.net_bps) for point in points])
    low, high = (np.array([_number(getattr(point, name)) for point in points]) for name in ("net_lower", "net_upper"))
    beside.errorbar(at, net, np.abs([net - low, high - net]), fmt="s--", color="tab:orange", markersize=3)
    beside.axhline(0, color="grey", linestyle=":")
    beside.set(ylabel="mean net return (bps)")
    return png(figure)


def _marks(one: Traded) -> tuple[np.ndarray, np.ndarray]:
    marks = one.equity
    ts = marks["ts"].to_numpy()
    hours = (ts - ts[0]) / HOUR if len(ts) else ts.astype(float)
    return hours, marks["equity"].fill_null(float("nan")).to_numpy()


def _number(value: float | None, factor: float = 1.0) -> float:
    return float("nan") if value is None else factor * value
