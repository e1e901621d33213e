"""What can be measured of a source's rows: whether features were scaled, ranges.

Here: the measures of a proof.
Not here: the proof (`ml.legacy.parts`).
"""

from typing import Any

import polars as pl

from ml.legacy.columns import FEATURES, ROWS

SAME_PRICE = 1e-3
"""Relative difference below which two prices are one."""


def judge_scale(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Whether the features were scaled, an instrument of a source at a time: feature `mid_price` against the price."""
    error = (pl.col("mid_price") / pl.col("current_mid_price") - 1).abs()
    found = frame.group_by("instrument", maintain_order=True).agg(
        error=error.median(), compared=error.count(), features_scaled=error.median() >= SAME_PRICE
    )
    verdicts = {name: {"scaled": scaled, "median_error": e, "compared": n} for name, e, n, scaled in found.iter_rows()}
    joined = frame.join(
        found.select("instrument", "features_scaled"), on="instrument", how="left", maintain_order="left"
    )
    return joined.select(pl.col(name).cast(dtype) for name, dtype in ROWS.items()), verdicts


def ranges(frame: pl.DataFrame) -> dict[str, Any]:
    """First and last time, and least and largest value of the price and of each feature that is there."""
    told = frame.select("current_mid_price", *FEATURES)
    least = told.min().row(0, named=True)
    largest = told.max().row(0, named=True)
    ranges = {name: [low, largest[name]] for name, low in least.items() if low is not None}
    return {"first_ts": frame["ts"].min(), "last_ts": frame["ts"].max(), "ranges": ranges}
