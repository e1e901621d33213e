"""What the product promises against its peers, each a ratio out of one run.

Here: the goals, and how a measured ratio is judged. Absolute rates are recorded, never judged: machines differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`ours` over `peer` must be `factor` or more; with `at_most`, that or less (times of a process)."""

    title: str
    ours: str
    peer: str
    factor: float
    at_most: bool = False

    def ratio(self, measured: Mapping[str, float]) -> float:
        """What was measured."""
        return measured[self.ours] / measured[self.peer]

    def measured(self, rates: Mapping[str, float]) -> bool:
        """Whether both were measured: a peer that does not install here is not."""
        return self.ours in rates and self.peer in rates

    def holds(self, measured: Mapping[str, float]) -> bool:
        """Whether the goal was reached."""
        ratio = self.ratio(measured)
        return ratio <= self.factor if self.at_most else ratio >= self.factor


PREDECESSOR = "predecessor's detector, snapshots/s as recorded"
REPLAY = (
    Goal("replay, best 20 levels every 100 ms", "kernel, book only", "hftbacktest ROI", 8),
    Goal("the same with all flow accumulators", "kernel, all flows", "hftbacktest ROI", 2),
)
LABELS = (
    Goal("labels for three horizons", "compiled loop", "pandas.merge_asof", 6),
    Goal("labels for three horizons", "compiled loop", "DuckDB ASOF JOIN", 13),
)
FEATURES = (Goal("all features of a sample", "compiled row, 110 features", "slow row, 110 features", 5_000),)
READ = (Goal("newest row, to another program", "the same, p99", "ten milliseconds", 1, at_most=True),)
CANDLES = (Goal("candle features, per value", "unified_240", "Qlib Alpha158", 20),)
STARTUP = (Goal("time to load", "load the definitions", "import dagster", 2, at_most=True),)
CAPTURE = (Goal("frames recorded by one core", "capture, to the journal", "ccxt, to its book", 6),)
LOAD = (
    Goal("core seconds a second, 50 symbols", "capture, 5x: core seconds a second", "one core", 1, at_most=True),
    Goal("refused or late, 50 symbols at 5 times the rate", "capture, 5x: share of the rate kept", "one core", 0.99),
)
PANEL = tuple(
    Goal(f"peak memory: {step}", f"{step}, {features} at 10 s, 365 days: peak GB", "four gigabytes", 1, at_most=True)
    for features in ("base_35", "base_110")
    for step in ("panel", "train")
)
INGEST = (
    Goal("raw .gz to typed events", "raw .gz to events", "hftbacktest convert", 10),
    Goal(
        "reading stored events into samples against its parts alone",
        "stored events to samples",
        "decode and kernel, each alone",
        0.5,
    ),
)
LAYERING = (
    Goal("layering: level updates against snapshots", "layering, cues: level updates/s", PREDECESSOR, 1_000),
    Goal("layering: level updates a second", "layering, cues: level updates/s", "three million", 1),
    Goal("layering: a live message", "layering, live message, p99 us", "two hundred microseconds", 1, at_most=True),
    Goal("layering: a stored day", "layering, a stored day, s of processor", "a minute", 1, at_most=True),
    Goal("layering: a stored day", "layering, a stored day, GB at most", "two gigabytes", 1, at_most=True),
)
SERVING = (
    Goal("one row by the model", "one row by compiled trees, rows/s", "one row by Booster.predict, rows/s", 3),
    Goal("predictions over HTTP", "lobforge serve, requests/s", "FastAPI + pydantic + Booster, requests/s", 3),
    Goal("predictions over HTTP", "lobforge serve, requests/s", "mlflow models serve, requests/s", 20),
)
EVENT_BYTES = 4.5
"""Of a level update on disk, at most."""
