"""`make bench`: run every benchmark and write docs/benchmarks.md; returns 1 if a goal was missed."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from ml.fingerprint import use_compiled
from ml.settings import load
from tests.benchmarks import demo, features, labels, replay, startup
from tests.benchmarks.goals import FEATURES, LABELS, REPLAY, STARTUP, Goal
from tests.benchmarks.stream import recorded

PROJECT = Path(__file__).parents[2]
PEERS = ("hftbacktest", "ccxt", "pandas", "numba", "numpy", "polars", "dagster")


def main() -> int:
    """Measure, write, judge."""
    use_compiled(PROJECT / ".numba_cache")
    market = load().test_data or PROJECT.parent / "shared" / "data" / "market"
    results: list[tuple[tuple[Goal, ...], dict[str, float], str]] = []
    for goals, measure, unit in (
        (REPLAY, lambda: replay.measure(recorded(market)), "M level updates/s"),
        (LABELS, labels.measure, "M rows/s"),
        (FEATURES, features.measure, "M rows/s"),
        ((), features.measure_live, "s"),
        (STARTUP, startup.measure, "s"),
        ((), demo.measure, "s"),
    ):
        measured = measure()
        results.append((goals, measured, unit))
        print("\n".join(_rates(measured, unit)), file=sys.stderr, flush=True)
    (PROJECT / "docs" / "benchmarks.md").write_text(_page(results))
    missed = [goal for goals, measured, _ in results for goal in goals if not goal.holds(measured)]
    for goal in missed:
        print(f"missed: {goal.title}: {goal.ours} against {goal.peer}", file=sys.stderr)
    return 1 if missed else 0


def _page(results: list[tuple[tuple[Goal, ...], dict[str, float], str]]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`, which overwrites this page. Only ratios out of one run are judged; rates depend on the",
        f"machine: here {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in PEERS)
        + ".",
        "",
        "| what | contender | peer | ratio | goal | reached |",
        "|---|---|---|---|---|---|",
    ]
    for goals, measured, _ in results:
        for goal in goals:
            bound = f"{'<=' if goal.at_most else '>='} {goal.factor:g}"
            reached = "yes" if goal.holds(measured) else "no"
            lines.append(
                f"| {goal.title} | {goal.ours} | {goal.peer} | {goal.ratio(measured):.2f} | {bound} | {reached} |"
            )
    lines += ["", "| contender | measured |", "|---|---|"]
    for _, measured, unit in results:
        lines += [f"| {line.partition(': ')[0]} | {line.partition(': ')[2]} |" for line in _rates(measured, unit)]
    return "\n".join([*lines, "", *NOTES]) + "\n"


def _rates(measured: dict[str, float], unit: str) -> list[str]:
    scale = 1e6 if unit.startswith("M ") else 1
    named = {"cold": "demo, fresh data root", "warm": "demo, the same data root again"}
    return [f"{named.get(name, name)}: {value / scale:,.4g} {unit}" for name, value in measured.items()]


NOTES = (
    "Replay: the recorded Binance USD-M BTCUSDT stream (400 668 level updates), 8 times over for the compiled engines",
    "and once for ccxt, on one core; input and output are prepared outside the clock. The kernel's snapshots are",
    "compared with hftbacktest's at every grid time and must be equal in all 20 levels, prices and sizes. hftbacktest",
    "runs its whole back-test engine, of which the book is a part; ccxt's book is Python. Medians of 5 to 7",
    "runs in turn.",
    "",
    "Features: a day of made-up samples with every level and prints in each second, an hour to look back on, one core.",
    "The slow row is the tests' oracle in NumPy and plain loops. The newest row is timed from Python, one by one.",
    "",
    "Labels: 116 days of 86 400 rows, horizons 10, 30 and 60 s; equal results are checked. The compiled loop gives",
    "volatility, age and null reasons as well. Loading: whole processes, medians of 7.",
)

if __name__ == "__main__":
    sys.exit(main())
