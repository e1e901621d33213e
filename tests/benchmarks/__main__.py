"""`make bench`: run every benchmark and write docs/benchmarks.md; returns 1 if a goal was missed.

`python -m tests.benchmarks NAME...` makes those of `measurements` that are named, prints them and keeps the page.
"""

import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ml.core.settings import load
from tests.benchmarks import (
    alpha158,
    capture,
    day,
    demo,
    features,
    ingest,
    labels,
    layering,
    panel,
    replay,
    serving,
    startup,
)
from tests.benchmarks.goals import (
    CANDLES,
    CAPTURE,
    EVENT_BYTES,
    FEATURES,
    INGEST,
    LABELS,
    LAYERING,
    LOAD,
    PANEL,
    READ,
    REPLAY,
    SERVING,
    STARTUP,
    Goal,
)
from tests.benchmarks.stream import recorded

PROJECT = Path(__file__).parents[2]
PEERS = ("hftbacktest", "ccxt", "pandas", "numba", "numpy", "polars", "dagster")


class Measurement(NamedTuple):
    """The goals that it judges, how it is made, and the unit; once it is done its rates, or why there are none."""

    name: str
    goals: tuple[Goal, ...]
    measure: Callable[[], dict[str, float]]
    unit: str
    rates: Mapping[str, float] = MappingProxyType({})
    failed: str = ""


def measurements(market: Path) -> list[Measurement]:
    """All of them, in the order in which they are made."""
    size = f"bytes a level update on disk (goal {EVENT_BYTES})"
    return [
        Measurement("replay", REPLAY, lambda: replay.measure(recorded(market)), "M level updates/s"),
        Measurement("ingest", INGEST, lambda: ingest.measure(market), "M level updates/s"),
        Measurement("sizes", (), lambda: ingest.sizes(market), size),
        Measurement("labels", LABELS, labels.measure, "M rows/s"),
        Measurement("features", FEATURES, features.measure, "M rows/s"),
        Measurement("newest row", (), features.measure_live, "s"),
        Measurement("newest row, elsewhere", READ, features.measure_read, "s"),
        Measurement("candle features", CANDLES, alpha158.measure, "M values/s"),
        Measurement("capture", CAPTURE, lambda: capture.beside_ccxt(market), "frames/s of processor"),
        Measurement("capture under load", LOAD, lambda: capture.under_load(market), ""),
        Measurement("a day", (), lambda: day.measure(market), ""),
        Measurement("layering", LAYERING, lambda: layering.measure(market), ""),
        Measurement("layering beside lobflow", (), layering.beside_lobflow, ""),
        Measurement("panel", PANEL, panel.measure, ""),
        Measurement("serving", SERVING, serving.measure, ""),
        Measurement("time to load", STARTUP, startup.measure, "s"),
        Measurement("demo", (), demo.measure, "s"),
    ]


def done(one: Measurement) -> Measurement:
    """The measurement, made; where it fails, the others still have their rows."""
    try:
        one = one._replace(rates=one.measure())
    except Exception as error:  # noqa: BLE001 - whatever it is: hours of other measurements stand on the page
        one = one._replace(failed=" ".join(f"{type(error).__name__}: {error}".split()))
    print("\n".join(_rows(one)), file=sys.stderr, flush=True)
    return one


def main(names: list[str]) -> int:
    """Measure, write, judge."""
    os.environ["LOBFORGE_CACHE_DIR"] = str(PROJECT / ".numba_cache")
    market = load().test_data or PROJECT.parent / "shared" / "data" / "market"
    known = measurements(market)
    unknown = set(names) - {one.name for one in known}
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(one.name for one in known)}", file=sys.stderr)
        return 2
    results = [done(one) for one in known if not names or one.name in names]
    if names:
        print("\n".join(_judged(results)))
    else:
        (PROJECT / "docs" / "benchmarks.md").write_text(_page(results))
    measurable = [(goal, one.rates) for one in results for goal in one.goals if goal.measured(one.rates)]
    missed = [goal for goal, rates in measurable if not goal.holds(rates)]
    for goal in missed:
        print(f"missed: {goal.title}: {goal.ours} against {goal.peer}", file=sys.stderr)
    return 1 if missed or any(one.failed for one in results) else 0


def _page(results: list[Measurement]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`, which overwrites this page. Only ratios out of one run are judged; rates depend on the",
        f"machine: here {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in PEERS)
        + ".",
        "",
        *_judged(results),
        "",
        "| contender | measured |",
        "|---|---|",
    ]
    lines += ["| " + " | ".join(row.rsplit(": ", 1)) + " |" for one in results for row in _rows(one)]
    return "\n".join([*lines, "", *NOTES]) + "\n"


def _judged(results: list[Measurement]) -> list[str]:
    lines = ["| what | contender | peer | ratio | goal | reached |", "|---|---|---|---|---|---|"]
    for one in results:
        measured = one.rates
        for goal in one.goals:
            if not goal.measured(measured):
                why = "it failed" if one.failed else "it does not install here"
                lines.append(f"| {goal.title} | {goal.ours} | {goal.peer} | not measured: {why} | | |")
                continue
            bound = f"{'<=' if goal.at_most else '>='} {goal.factor:g}"
            reached = "yes" if goal.holds(measured) else "no"
            lines.append(
                f"| {goal.title} | {goal.ours} | {goal.peer} | {goal.ratio(measured):.2f} | {bound} | {reached} |"
            )
    return lines


def _rows(one: Measurement) -> list[str]:
    if one.failed:
        return [f"{one.name}: failed ({one.failed.replace('|', '/').replace(': ', ' - ')})"]
    scale = 1e6 if one.unit.startswith("M ") else 1
    named = {"cold": "demo, fresh data root", "warm": "demo, the same data root again"}
    return [f"{named.get(name, name)}: {value / scale:,.4g} {one.unit}".rstrip() for name, value in one.rates.items()]


NOTES = (
    "Replay: the recorded Binance USD-M BTCUSDT stream (400 668 level updates), 8 times over for the compiled engines",
    "and once for ccxt, on one core; input and output are prepared outside the clock. The kernel's snapshots are",
    "compared with hftbacktest's at every grid time and must be equal in all 20 levels, prices and sizes. hftbacktest",
    "runs its whole back-test engine, of which the book is a part; ccxt's book is Python and recorded without a goal:",
    "to be more than about a hundred times as fast the kernel would need a second path beside the one that all use.",
    "Medians of 5 to 7 runs in turn.",
    "",
    "Ingest: the recorded BTCUSDT files of two days, gzip, to book messages and trades with ids, times and decimals",
    "checked, against hftbacktest's converter on the same files. Storage: the second day's events as published, once",
    "and 8 times over; decoded to the columns that the kernel takes, and sampled each second with all flows. Processor",
    "time, all contenders on one core.",
    "",
    "Features: a day of made-up samples with every level and trades in each second, an hour to look back on, one core.",
    "The slow row is the tests' oracle in NumPy and plain loops, one row at a time over its window. The newest row is",
    "timed from Python, one by one.",
    "To another program: one writes a row each 5 ms into the online store, the other looks once a millisecond.",
    "",
    "A day: the recorded minutes of BTCUSDT one after the other for 24 hours, 72 M level updates in 4 GB of text, as",
    "Dagster materializes them, with the index of the file, rules, pictures, leak canaries and stored tables, each",
    "read back; whole processes with everything compiled before. `lobforge features make` writes",
    "features and labels alone, the same bytes. Goals on two cores: 25 s from .gz to features and labels, 8 s from",
    "stored events, 4 GB.",
    "",
    "Layering (`python -m tests.benchmarks layering` alone): the recorded minutes of BTCUSDT 8 times over in memory,",
    "from arrays to cues; each message and frame of trades of one copy alone; and 24 hours of copies, from stored",
    "events, in a process of its own. Processor time. The predecessor's rate is its own record, of snapshots. lobflow",
    "0.1.0, in an environment of its own, sees the 20 best levels of the same simulated half hour four times a second.",
    "",
    "Panel: a year of made-up days of one instrument, written day by day, then LightGBM trained on all of its rows,",
    "20 rounds; peak memory is that of the process, mapped files included. At 1 s, 20 days: the panel is streamed to",
    "disk and read in blocks. `python -m tests.benchmarks.panel 30` measures fewer days.",
    "",
    "Labels: 116 days of 86 400 rows, horizons 10, 30 and 60 s; equal results are checked. The compiled loop gives",
    "volatility, age and null reasons as well, on one core; DuckDB takes all cores. Loading: whole processes, medians",
    "of 7.",
    "",
    "Serving (`python -m tests.benchmarks.serving` alone): 201 trees of 31 leaves on 110 features, one row as JSON,",
    "the same model in every server; `wrk` with 16 connections, server and client on a core each, medians of 3 runs of",
    "3 s in turn. Ours as it ships, with the rate limit raised. MLflow gets its fastest form, `inputs`. Requests are",
    "neither batched nor answered from a cache: the trees take a tenth of the time of a request.",
    "",
    "Candle features: NumPy windows and TA-Lib from a frame to a frame, against Qlib's Alpha158 (pyqlib 0.9.7, in an",
    "environment of its own below `.peers`) from its binary store with one kernel. Processor time. The goal is that of",
    "compiled functions, which were given up for libraries (docs/decisions/015).",
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
    sys.exit(main(sys.argv[1:]))
