"""Batch = live: the stored feature rows against the rows that the live path gives, bit for bit.

Here: the comparison, and the replay of stored raw frames through the live path.
Not here: the live path itself (`ml.market.feed`, `ml.features.online`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import orjson
import polars as pl

from ml.features.build import NAMES, REASONS
from ml.features.online import OnlineFeatures
from ml.features.table import FEATURES
from ml.instruments import Instrument
from ml.market import kernel
from ml.market.day import closing_frames, open_day
from ml.market.feed import Feed

SHORT = np.array([feature.look_back <= 60 for feature in FEATURES])


@dataclass
class Parity:
    """Counts of compared rows; `first` tells the first mismatch: time, column, batch and live value."""

    rows: int = 0
    rows_with_values: int = 0
    mismatches: int = 0
    first: str = ""

    def counts(self) -> dict[str, int]:
        """The three counts."""
        return {"rows": self.rows, "rows_with_values": self.rows_with_values, "mismatches": self.mismatches}

    def add(self, other: "Parity") -> None:
        """Take another comparison's counts in."""
        self.rows += other.rows
        self.rows_with_values += other.rows_with_values
        self.mismatches += other.mismatches
        self.first = self.first or other.first


class Batch:
    """Stored feature rows of one instrument, to compare live rows with; what live never gave counts as a mismatch."""

    def __init__(self, features: pl.DataFrame) -> None:
        ordered = features.sort("ts")
        self.ts = ordered["ts"].to_numpy()
        self.values = ordered.select(pl.col(NAMES).fill_null(float("nan"))).to_numpy()
        self.reasons = ordered.select(REASONS).to_numpy()
        self.seen = np.zeros(len(self.ts), bool)
        self.parity = Parity()

    def compare(self, ts: int, live: OnlineFeatures) -> None:
        """Compare the newest live row with the stored row of the same time."""
        k = int(np.searchsorted(self.ts, ts))
        parity = self.parity
        if k == len(self.ts) or self.ts[k] != ts:
            return
        self.seen[k] = True
        parity.rows += 1
        parity.rows_with_values += not np.isnan(live.values[SHORT]).any()
        same = np.array_equal(self.values[k].view(np.int64), _canonical(live.values).view(np.int64))
        if not (same and np.array_equal(self.reasons[k], live.reasons)):
            parity.mismatches += 1
            parity.first = parity.first or self._difference(k, live)

    def finish(self) -> Parity:
        """The counts, with the rows that the live path never gave."""
        missing = int((~self.seen).sum())
        self.parity.rows += missing
        self.parity.mismatches += missing
        if missing:
            self.parity.first = self.parity.first or f"{missing} rows missing live, first at {self.ts[~self.seen][0]}"
        return self.parity

    def _difference(self, k: int, live: OnlineFeatures) -> str:
        for name, batch, now in zip(NAMES, self.values[k], live.values, strict=True):
            if batch != now and not (np.isnan(batch) and np.isnan(now)):
                return f"{self.ts[k]} {name}: batch {batch!r}, live {now!r}"
        return f"{self.ts[k]} null reasons: batch {self.reasons[k].tolist()}, live {live.reasons.tolist()}"


def replay(raw_days: Iterable[pl.DataFrame], features: pl.DataFrame, instrument: Instrument) -> Parity:
    """Replay stored raw frames of consecutive days frame by frame, as live receives them, and compare every row.

    The stream starts with the first day's checkpoint and runs through midnight without looking at another.
    """
    batch, online = Batch(features), OnlineFeatures(instrument)
    feed: Feed | None = None
    done, after = 0, list[tuple[int, bytes]]()
    for raw in raw_days:
        if feed is None:
            opening = open_day(raw, instrument)
            feed = Feed(instrument, opening.decoder, opening.sampler)
            feed.sampler.forget = True
            done = feed.sampler.released
        frames = raw.filter(pl.col("kind") != "checkpoint").sort("arrival").select("recv_ts", "payload")
        for recv_ts, payload in frames.iter_rows():
            feed.offer(orjson.loads(payload), recv_ts)
            done = _compare_released(feed, online, batch, done)
        after = closing_frames(raw)
    for recv_ts, payload in after if feed is not None else ():
        feed.offer(orjson.loads(payload), recv_ts)
        done = _compare_released(feed, online, batch, done)
    return batch.finish()


def _compare_released(feed: Feed, online: OnlineFeatures, batch: Batch, done: int) -> int:
    """Compare the rows released since `done`, counted from the start of the stream."""
    sampler = feed.sampler
    if sampler.released + sampler.dropped == done:
        return done
    samples = sampler.samples
    for i in range(done - sampler.dropped, sampler.released):
        online.compute(samples, i)
        batch.compare(int(samples[i, kernel.TS]), online)
    return sampler.released + sampler.dropped


def _canonical(values: np.ndarray) -> np.ndarray:
    """NaN has many bit patterns; null in a table has one."""
    return np.where(np.isnan(values), np.nan, values)
