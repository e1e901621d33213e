"""Leak canaries for spoofing pressure: rows that change when the events after them do.

Here: future scramble and planted leak over the first events of a day.
Not here: the rows (`ml.features.pressure.rows`), canaries over samples (`ml.evaluation.canaries.features`).
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.evaluation.findings import Canary
from ml.features.pressure.rows import REASON, build
from ml.features.pressure.table import NAMES
from ml.market.book import layout

MOST_ROWS = 1 << 20
"""Rows of `book_events` that are looked at; half of them are scrambled."""
AHEAD = 10


def run(
    book_events: Iterable[pl.DataFrame],
    trades: pl.DataFrame,
    before: np.ndarray,
    samples: np.ndarray,
    rows: pl.DataFrame,
    instrument: Instrument,
    date: str,
) -> list[Canary]:
    """Both canaries on the rows that were made of a day, see `ml.features.pressure.rows.build`."""
    events = _first(book_events)
    if events.is_empty() or not len(samples):
        return [Canary(name, True, 0, 0, "the day has no events") for name in ("future_scramble", "planted_leak")]
    arrival = int(events["arrival"][cut_of(events)])
    cut = int(events.filter(pl.col("arrival") <= arrival)["event_ts"].max())  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    near = samples[samples[:, layout.TS] <= cut + 2 * AHEAD * SECOND]
    scrambled = build(
        [_scrambled(events, arrival, rng)], _scrambled(trades, arrival, rng), before, near, instrument, date
    )
    stored = rows.filter(pl.col("ts") <= near[-1, layout.TS]) if len(near) else rows.clear()
    checked = int((stored["ts"] <= cut).sum())
    changed = _changed(scrambled, stored, cut)
    leaked = _changed(_leaking(scrambled), _leaking(stored), cut)
    # a day without a value near the cut shows nothing, which is no fault of the canary
    shows = not stored.filter(pl.col("ts") > cut)[NAMES[0]].is_null().all()
    missed = float(shows and leaked == 0)
    return [
        Canary("future_scramble", changed == 0, changed, 0, f"of {checked} rows change when the future is scrambled"),
        Canary("planted_leak", missed == 0, missed, 0, "planted leaks missed"),
    ]


def _leaking(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that know those of ten seconds later."""
    return rows.with_columns(pl.col(*NAMES, REASON).shift(-AHEAD))


def cut_of(events: pl.DataFrame) -> int:
    """The row after which events are scrambled."""
    return events.height // 2


def _first(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    found = list[pl.DataFrame]()
    for part in parts:
        found.append(part)
        if sum(one.height for one in found) >= MOST_ROWS:
            break
    return pl.concat(found)[:MOST_ROWS] if found else pl.DataFrame({"arrival": []})


def _scrambled(rows: pl.DataFrame, arrival: int, rng: np.random.Generator) -> pl.DataFrame:
    """The rows with other sizes in what arrived later."""
    sizes = rows["size"].to_numpy().copy()
    later = rows["arrival"].to_numpy() > arrival
    sizes[later] = rng.permutation(sizes[later]) * rng.integers(1, 4, int(later.sum()))
    return rows.with_columns(size=pl.Series(sizes))


def _changed(one: pl.DataFrame, other: pl.DataFrame, cut: int) -> int:
    """Rows up to a time that differ."""
    pair = [frame.filter(pl.col("ts") <= cut).select("ts", *NAMES, REASON) for frame in (one, other)]
    both = pair[0].join(pair[1], on="ts", how="full", suffix="_other")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_other")) for name in (*NAMES, REASON))
    return both.filter(~same).height
