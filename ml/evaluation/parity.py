"""Batch = live: the stored feature rows against the rows that the live path gives, bit for bit.

Here: the comparison, and the replay of stored raw frames through the live path.
Not here: the live path itself (`ml.market.book.feed`, `ml.features.tick.online`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import orjson
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.evaluation.findings import ParityReport
from ml.features.tick.build import NAMES, REASONS
from ml.features.tick.online import OnlineFeatures
from ml.features.tick.table import FEATURES
from ml.market.book import layout
from ml.market.book.checkpoint import pack, unpack
from ml.market.book.feed import Feed
from ml.market.book.kernel import break_book
from ml.market.book.sampler import Sampler
from ml.market.days.day import closing_frames, open_day
from ml.market.decode.decoder import Decoder

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

    def report(self) -> ParityReport:
        """The counts and the first mismatch."""
        return ParityReport(**self.counts(), first_mismatch=self.first)

    def add(self, other: "Parity") -> None:
        """Take another comparison's counts in."""
        self.rows += other.rows
        self.rows_with_values += other.rows_with_values
        self.mismatches += other.mismatches
        self.first = self.first or other.first


class Batch:
    """Stored feature rows of one instrument, to compare live rows with; what live never gave counts as a mismatch.

    A replay that starts later than the stored rows is compared once the longest look-back lies inside it.
    """

    def __init__(self, features: pl.DataFrame) -> None:
        ordered = features.sort("ts")
        self.ts = ordered["ts"].to_numpy()
        self.values = ordered.select(pl.col(NAMES).fill_null(float("nan"))).to_numpy()
        self.reasons = ordered.select(REASONS).to_numpy()
        self.seen = np.zeros(len(self.ts), bool)
        self.parity = Parity()
        self._from: int | None = None

    def compare(self, ts: int, live: OnlineFeatures) -> None:
        """Compare the newest live row with the stored row of the same time."""
        if self._from is None:
            self._from = ts if len(self.ts) == 0 or ts <= self.ts[0] else ts + layout.TAIL * SECOND
        k = int(np.searchsorted(self.ts, ts))
        parity = self.parity
        if ts < self._from or k == len(self.ts) or self.ts[k] != ts:
            return
        self.seen[k] = True
        parity.rows += 1
        parity.rows_with_values += not np.isnan(live.values[SHORT]).any()
        same = np.array_equal(self.values[k].view(np.int64), _canonical(live.values).view(np.int64))
        if not (same and np.array_equal(self.reasons[k], live.reasons)):
            parity.mismatches += 1
            parity.first = parity.first or self._difference(k, live)

    def finish(self, whole: bool) -> Parity:
        """The counts, with the rows that the live path never gave: of all stored rows, or of the time it covered."""
        if not whole and self.seen.any():
            last = np.flatnonzero(self.seen)[-1]
            self.seen[(self.ts < (self._from or 0)) | (np.arange(len(self.ts)) > last)] = True
        elif not whole:
            self.seen[:] = True
        missing = int((~self.seen).sum())
        self.parity.rows += missing
        self.parity.mismatches += missing
        if missing:
            self.parity.first = self.parity.first or f"{missing} rows missing live, first at {self.ts[~self.seen][0]}"
        return self.parity

    def _difference(self, k: int, live: OnlineFeatures) -> str:
        now = _canonical(live.values)
        differing = np.flatnonzero(self.values[k].view(np.int64) != now.view(np.int64))
        if differing.size:
            f = differing[0]
            return f"{self.ts[k]} {NAMES[f]}: batch {float(self.values[k, f])!r}, live {float(now[f])!r}"
        return f"{self.ts[k]} null reasons: batch {self.reasons[k].tolist()}, live {live.reasons.tolist()}"


def replay(raw_days: Iterable[Iterable[pl.DataFrame]], features: pl.DataFrame, instrument: Instrument) -> Parity:
    """Replay stored raw frames of consecutive days frame by frame, as live receives them, and compare every row.

    The stream starts with the first day's checkpoint and runs through midnight without looking at another. In the
    middle of each part it stops and goes on from its own checkpoint, as a new process would. What no book message has
    confirmed when it ends is unknown.

    Args:
        raw_days: the table `raw_frames` of each day, in parts; one part is held at a time.
        features: stored rows of these days.
        instrument: whose frames they are.
    """
    batch = Batch(features)
    parts = chain.from_iterable(raw_days)
    first = part = next(parts)
    opening = open_day(first, instrument)
    stream = _Stream(instrument, opening.decoder, opening.sampler)
    for part in chain([first], parts):
        frames = part.filter(pl.col("kind") != "checkpoint").select("recv_ts", "payload").rows()
        stream.offer(frames[: len(frames) // 2], batch)
        stream = stream.restarted()
        stream.offer(frames[len(frames) // 2 :], batch)
    stream.offer(closing_frames(part), batch)
    stream.end(batch)
    return batch.finish(whole=True)


class _Stream:
    """The live path of one process."""

    def __init__(self, instrument: Instrument, decoder: Decoder, sampler: Sampler) -> None:
        self.instrument = instrument
        self.feed = Feed(decoder, sampler)
        self.online = OnlineFeatures(instrument)
        sampler.forget = True
        self.done = sampler.released

    def restarted(self) -> "_Stream":
        """What a new process makes of the checkpoint."""
        return _Stream(self.instrument, *unpack(pack(self.feed.decoder, self.feed.sampler), self.instrument))

    def offer(self, frames: Iterable[tuple[int, bytes]], batch: Batch) -> None:
        """Take frames, receive time and payload, and compare the rows that each releases."""
        for recv_ts, payload in frames:
            self.feed.offer(orjson.loads(payload), recv_ts)
            self._compare_released(batch)

    def end(self, batch: Batch) -> None:
        """Compare the rows that are left when no frame comes any more."""
        break_book(self.feed.sampler.state, -1, layout.EXTERNAL_BREAK)
        self._compare_released(batch)

    def _compare_released(self, batch: Batch) -> None:
        """Compare the rows released since the last call."""
        sampler = self.feed.sampler
        if sampler.released + sampler.dropped == self.done:
            return
        samples = sampler.samples
        for i in range(self.done - sampler.dropped, sampler.released):
            self.online.compute(samples, i)
            batch.compare(int(samples[i, layout.TS]), self.online)
        self.done = sampler.released + sampler.dropped


def _canonical(values: np.ndarray) -> np.ndarray:
    """NaN has many bit patterns; null in a table has one."""
    return np.where(np.isnan(values), np.nan, values)
