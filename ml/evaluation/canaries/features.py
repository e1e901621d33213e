"""Leak canaries of a stored day of features, by feature set: what the future, or a longer past, would change.

Here: truncation, future scramble, warm-up and a planted leak over rows that were computed as a day.
Not here: canaries of splits and training (`ml.evaluation.canaries.model`), the bits of the live path (`parity`).
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.evaluation.canaries.model import TIMES, Canary, FeatureCode, feature_code
from ml.features.sets import OF_SAMPLES
from ml.features.tick.build import NAMES, build
from ml.features.tick.table import FEATURES
from ml.market.book import layout

CUTS = 10
AROUND = 60
LOOK_BACKS = np.array([max(feature.look_back, 1) for feature in FEATURES])
Changed = tuple[int, np.ndarray]
"""Rows that were compared, and in how many of them each feature differs."""


def by_set(
    samples: np.ndarray, tail: np.ndarray, rows: pl.DataFrame, instrument: Instrument, times: int = TIMES
) -> dict[str, list[Canary]]:
    """The canaries of every feature set, on samples i64 (n, columns), those before them, and their stored rows."""
    window = np.concatenate([tail, samples])
    stored = rows.select(NAMES).to_numpy()
    first = len(tail)
    code = feature_code(instrument)
    at = _times(samples, times)
    found = {
        "truncation": truncated(window, first, stored, at, code),
        "future_scramble": scrambled(window, first, stored, instrument),
        "warm_up": warmed(window, first, stored, at[:CUTS], code),
    }
    caught = truncated(window, first, *_planted(window, first, at))[1].any()
    # a day of a single row shows nothing, which is no fault of the canary
    missed = float(len(at) > 0 and not caught)
    planted = Canary("planted_leak", missed == 0, missed, 0, "planted leaks missed")
    return {name: [*_verdicts(found, chosen.positions), planted] for name, chosen in OF_SAMPLES.items()}


def truncated(window: np.ndarray, first: int, stored: np.ndarray, at: np.ndarray, code: FeatureCode) -> Changed:
    """Rows from the samples up to their own and no further, with an hour to look back on, against the stored ones."""
    differing = np.zeros(stored.shape[1], np.int64)
    for i in at:
        end = first + int(i) + 1
        differing += _differs(
            code(window[max(end - layout.TAIL, 0) : end].copy(), min(end, layout.TAIL) - 1), stored[i]
        )
    return len(at), differing


def scrambled(window: np.ndarray, first: int, stored: np.ndarray, instrument: Instrument) -> Changed:
    """Rows of a minute before a cut, after which all samples are noise, against the stored ones."""
    rng = np.random.default_rng(1)
    differing = np.zeros(stored.shape[1], np.int64)
    compared = 0
    for cut in rng.integers(0, len(stored), CUTS if len(stored) else 0):
        here = int(cut)
        begin = max(int(cut) - AROUND + 1, 0)
        part = window[max(first + begin - layout.TAIL, 0) : first + here + 1 + AROUND].copy()
        before = min(first + begin, layout.TAIL)
        after = part[before + here + 1 - begin :, layout.BID_PRICE :]
        after[:] = rng.permutation(after) + rng.integers(0, 1_000, after.shape)
        rows = build(part[before:], part[:before], instrument).select(NAMES).to_numpy()
        differing += _differs(rows[: here + 1 - begin], stored[begin : here + 1]).sum(axis=0)
        compared += here + 1 - begin
    return compared, differing


def warmed(window: np.ndarray, first: int, stored: np.ndarray, at: np.ndarray, code: FeatureCode) -> Changed:
    """Rows from exactly the declared look-back of each feature, against the stored ones, which saw all the past."""
    differing = np.zeros(stored.shape[1], np.int64)
    compared = 0
    for reach in np.unique(LOOK_BACKS):
        own = reach == LOOK_BACKS
        for end in (first + int(i) + 1 for i in at if first + i + 1 >= reach):
            row = code(window[end - reach : end].copy(), int(reach) - 1)
            differing[own] += _differs(row[own], stored[end - 1 - first, own])
            compared += 1
    return compared, differing


def _planted(window: np.ndarray, first: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, FeatureCode]:
    """A column that knows the price and the time ten samples ahead: stored rows, times and its code."""

    def leaking(samples: np.ndarray, i: int) -> np.ndarray:
        return samples[min(i + 10, len(samples) - 1), [layout.TS, layout.BID_PRICE]].astype(np.float64)

    return np.array([leaking(window, i) for i in range(first, len(window))]).reshape(-1, 2), at, leaking


def _verdicts(found: dict[str, Changed], positions: list[int]) -> Iterator[Canary]:
    for name, (compared, differing) in found.items():
        guilty = [NAMES[k] for k in positions if differing[k]]
        detail = f"values of {compared} rows change" + (f", first {guilty[0]}" if guilty else "")
        yield Canary(name, not guilty, float(differing[positions].sum()), 0.0, detail)


def _differs(values: np.ndarray, stored: np.ndarray) -> np.ndarray:
    return ~((values == stored) | (np.isnan(values) & np.isnan(stored)))


def _times(samples: np.ndarray, count: int) -> np.ndarray:
    """Random rows but the last, of those with a valid book where there are any."""
    valid = np.flatnonzero(samples[:-1, layout.VALID])
    pool = valid if valid.size else np.arange(max(len(samples) - 1, 0))
    return np.random.default_rng(1).choice(pool, min(count, pool.size), replace=False)
