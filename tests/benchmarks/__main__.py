"""`make bench`: run every benchmark and write docs/benchmarks.md; returns 1 if a goal was missed."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from ml.fingerprint import use_compiled
from ml.settings import load
from tests.benchmarks import alpha158, capture, day, demo, features, indicators, ingest, labels, replay, startup
from tests.benchmarks.goals import (
    CANDLES,
    CAPTURE,
    EVENT_BYTES,
    FEATURES,
    INDICATORS,
    INGEST,
    LABELS,
    LOAD,
    READ,
    REPLAY,
    STARTUP,
    Goal,
)
from tests.benchmarks.stream import recorded

PROJECT = Path(__file__).parents[2]
DAY_HOURS = 2
PEERS = ("hftbacktest", "ccxt", "pandas", "numba", "numpy", "polars", "dagster")


def main() -> int:
    """Measure, write, judge."""
    use_compiled(PROJECT / ".numba_cache")
    market = load().test_data or PROJECT.parent / "shared" / "data" / "market"
    results: list[tuple[tuple[Goal, ...], dict[str, float], str]] = []
    for goals, measure, unit in (
        (REPLAY, lambda: replay.measure(recorded(market)), "M level updates/s"),
        (INGEST, lambda: ingest.measure(market), "M level updates/s"),
        ((), lambda: ingest.sizes(market), f"bytes a level update on disk (goal {EVENT_BYTES})"),
        (LABELS, labels.measure, "M rows/s"),
        (FEATURES, features.measure, "M rows/s"),
        ((), features.measure_live, "s"),
        (READ, features.measure_read, "s"),
        (INDICATORS, indicators.measure, "M rows/s"),
        (CANDLES, alpha158.measure, "M values/s"),
        (CAPTURE, lambda: capture.beside_ccxt(market), "frames/s of processor"),
        (LOAD, lambda: capture.under_load(market), ""),
        ((), lambda: day.measure(market, DAY_HOURS), ""),
        (STARTUP, startup.measure, "s"),
        ((), demo.measure, "s"),
    ):
        measured = measure()
        results.append((goals, measured, unit))
        print("\n".join(_rates(measured, unit)), file=sys.stderr, flush=True)
    (PROJECT / "docs" / "benchmarks.md").write_text(_page(results))
    measurable = [(goal, rates) for goals, rates, _ in results for goal in goals if goal.measured(rates)]
    missed = [goal for goal, rates in measurable if not goal.holds(rates)]
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
            if not goal.measured(measured):
                lines.append(
                    f"| {goal.title} | {goal.ours} | {goal.peer} | not measured: it does not install here | | |"
                )
                continue
            bound = f"{'<=' if goal.at_most else '>='} {goal.factor:g}"
            reached = "yes" if goal.holds(measured) else "no"
            lines.append(
                f"| {goal.title} | {goal.ours} | {goal.peer} | {goal.ratio(measured):.2f} | {bound} | {reached} |"
            )
    lines += ["", "| contender | measured |", "|---|---|"]
    for _, measured, unit in results:
        lines += [f"| {line.rpartition(': ')[0]} | {line.rpartition(': ')[2]} |" for line in _rates(measured, unit)]
    return "\n".join([*lines, "", *NOTES]) + "\n"


def _rates(measured: dict[str, float], unit: str) -> list[str]:
    scale = 1e6 if unit.startswith("M ") else 1
    named = {"cold": "demo, fresh data root", "warm": "demo, the same data root again"}
    return [f"{named.get(name, name)}: {value / scale:,.4g} {unit}".rstrip() for name, value in measured.items()]


NOTES = (
    "Replay: the recorded Binance USD-M BTCUSDT stream (400 668 level updates), 8 times over for the compiled engines",
    "and once for ccxt, on one core; input and output are prepared outside the clock. The kernel's snapshots are",
    "compared with hftbacktest's at every grid time and must be equal in all 20 levels, prices and sizes. hftbacktest",
    "runs its whole back-test engine, of which the book is a part; ccxt's book is Python. Medians of 5 to 7",
    "runs in turn.",
    "",
    "Ingest: the recorded BTCUSDT files of two days, gzip, to book messages and prints with ids, times and decimals",
    "checked, against hftbacktest's converter on the same files. Storage: the second day's events as published, once",
    "and 8 times over; decoded to the columns that the kernel takes, and sampled each second with all flows. Processor",
    "time; with one thread for Polars (POLARS_MAX_THREADS=1) these are rates of one core.",
    "",
    "Features: a day of made-up samples with every level and prints in each second, an hour to look back on, one core.",
    "The slow row is the tests' oracle in NumPy and plain loops. The newest row is timed from Python, one by one.",
    "To another program: one writes a row each 5 ms into the online store, the other looks once a millisecond.",
    "",
    "A day: the recorded minutes of BTCUSDT one after the other for two hours of it, 6 M level updates, as Dagster",
    "materializes them, with rules, pictures, stored tables and a first compilation; whole processes. A day is held in",
    "memory while it is decoded: 24 h of BTCUSDT, 4 GB of text, take more than 20 GB.",
    "",
    "Labels: 116 days of 86 400 rows, horizons 10, 30 and 60 s; equal results are checked. The compiled loop gives",
    "volatility, age and null reasons as well, on one core; DuckDB takes all cores. Loading: whole processes, medians",
    "of 7.",
    "",
    "Indicators: thirty arrays of a million candles, equal to TA-Lib's to 1e-8. TA-Lib and ta make new arrays; ours",
    "are measured with new and with kept ones. ta (0.11.0) and Qlib (pyqlib 0.9.7) run in environments of their own,",
    "below `.peers`; Alpha158 from Qlib's binary store with one kernel, ours from a frame to a frame. Processor time.",
    "",
    "Capture (`python -m tests.benchmarks.capture` alone): `lobforge capture` on one core, on another the venue, which",
    "plays the busiest minute of the recorded BTCUSDT stream (241 frames and 1 184 level updates a second) for each of",
    "50 symbols; ccxt connections, journal and sealing into parquet are included. Both run before other",
    "work of the machine where that is allowed. Socket to journal: from the venue's write until the journal",
    "is seen to have grown, looked at once a millisecond. At 20 times the rate frames are refused, each on record.",
    "Beside ccxt: the same 20 s of frames of one symbol, from the WebSocket message on: here to the journal with ids",
    "followed, there to its book, trades and best bid and ask; seconds of processor, medians of 5 runs in turn.",
    "uvloop took 10 % less processor at the plain rate and none at 5 times of it: not worth a dependency.",
)

if __name__ == "__main__":
    sys.exit(main())
