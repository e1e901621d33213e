"""Leak canaries of the predecessor's columns: what the future, or a longer past, would change.

Here: truncation and look-back in one, future scramble, planted leak, over rows that were computed as a day.
Not here: canaries of our own sets of samples (`leaks`) and of candles (`candle_canaries`).
"""

import numpy as np
import polars as pl

from ml.candles.from_trades import PRICES
from ml.evaluation.canaries.model import TIMES, Canary
from ml.features.legacy.build import Day, build
from ml.market.book import layout

CUTS = 10
AHEAD = 10
TOLERANCE = 1e-9


def run(day: Day, rows: pl.DataFrame, times: int = TIMES) -> list[Canary]:
    """All canaries on a day and on the rows that were made of it."""
    at = _times(day, times)
    changed = truncated(day, rows, at)
    said = f"of {len(at)} rows change when all but their look-back is cut off"
    compared, scrambled = _scrambled(day, rows, at[:CUTS])
    leaking = rows.with_columns(pl.col("mid_price").shift(-AHEAD))
    missed = float(len(at) > 0 and truncated(day, leaking, at) == 0)
    return [
        Canary("truncation", changed == 0, changed, 0, said),
        Canary("future_scramble", scrambled == 0, scrambled, 0, f"of {compared} rows change when later rows change"),
        Canary("planted_leak", missed == 0, missed, 0, "planted leaks missed"),
    ]


def truncated(day: Day, rows: pl.DataFrame, at: list[int]) -> int:
    """How many rows differ from those of their declared look-back alone."""
    reach = max(f.needs for f in day.chosen.features if f.family == "orderbook")
    window = np.concatenate([day.tail, day.samples])
    changed = 0
    for i in at:
        end = len(day.tail) + i + 1
        part = window[max(end - reach, 0) : end]
        past = _past(day, int(part[-1, layout.TS]))
        alone = build(day._replace(samples=part[-1:], tail=part[:-1], candles=past))
        changed += _differing(alone, rows[i : i + 1], rows)
    return changed


def _past(day: Day, ts: int) -> pl.DataFrame:
    """The candles that closed by a time, as many as are looked back on, begun with one that was traded."""
    known = day.candles.filter(pl.col("ts") <= ts)
    reach = max(f.needs for f in day.chosen.features if f.family != "orderbook") // 60
    start = max(known.height - reach, 0)
    # a quiet minute stands at the price before it
    traded = known["close"][: start + 1].is_not_null().arg_true()
    return known[int(traded[-1]) if traded.len() else 0 :]


def _scrambled(day: Day, rows: pl.DataFrame, at: list[int]) -> tuple[int, int]:
    """Rows of a minute before some times, after which samples and candles are noise, against the stored ones."""
    rng = np.random.default_rng(1)
    compared = 0
    changed = 0
    window = np.concatenate([day.tail, day.samples])
    for cut in at:
        begin = max(cut - 59, 0)
        first = len(day.tail) + begin
        part = window[max(first - 60, 0) : first + 121].copy()
        before = min(first, 60)
        after = part[before + cut + 1 - begin :, layout.BID_PRICE :]
        after[:] = rng.permutation(after) + rng.integers(0, 1_000, after.shape)
        later = pl.col("ts") > int(rows["ts"][cut])
        noise = day.candles.with_columns(pl.when(later).then(pl.col(PRICES) * 2).otherwise(pl.col(PRICES)))
        found = build(day._replace(samples=part[before:], tail=part[:before], candles=noise))[: cut + 1 - begin]
        changed += _differing(found, rows[begin : cut + 1], rows)
        compared += found.height
    return compared, changed


def _differing(found: pl.DataFrame, stored: pl.DataFrame, rows: pl.DataFrame) -> int:
    """Rows in which a value differs by more than a billionth of its column's size, or is null in one alone."""
    names = [name for name in rows.columns if name != "ts"]
    one, other = (f.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy() for f in (found, stored))
    sizes = rows.select(pl.col(names).cast(pl.Float64).abs().max().fill_null(0.0)).to_numpy()
    return int(((np.isnan(one) != np.isnan(other)) | (np.abs(one - other) > TOLERANCE * sizes)).any(axis=1).sum())


def _times(day: Day, count: int) -> list[int]:
    """Random rows but the last, of those with a valid book where there are any."""
    valid = np.flatnonzero(day.samples[:-1, layout.VALID])
    pool = valid if valid.size else np.arange(max(len(day.samples) - 1, 0))
    return np.random.default_rng(1).choice(pool, min(count, pool.size), replace=False).tolist()
