"""How features are distributed, and whether a day's distribution is still that of the rows a model was trained on.

Here: the profile of a frame, the baseline of a panel, and a day's distance from it.
Not here: leaks (`ml.evaluation.canaries.model`), rows that must not be (the rules of a table's spec).

Features are autocorrelated, so a textbook threshold on a distance raises false alarms: the threshold here is
what the baseline's own blocks show against the rest of it (leave one block out), and blocks of that length are
compared. Of many features some are beyond their threshold by chance: those that count are chosen so that at most 5 % of
them are false discoveries, and features that the model looks at more need less evidence.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ml.tables.spec import F64, I64, TEXT, Column, Partitioning, TableSpec

BLOCKS = 40
LONGEST_BLOCK = 10_800
"""Rows: of a day there must be several blocks, however many days the baseline has."""
FALSE_DISCOVERIES = 0.05
SMALLEST = 1e-9
"""Of distances, so that they have a logarithm."""
THRESHOLD_QUANTILE = 0.99
MIN_BLOCK_ROWS = 50
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
DECILES = np.linspace(0.1, 0.9, 9)
_FEATURE = Column("feature", TEXT, "", "Name of the feature.")
_THRESHOLD = Column(
    "threshold", F64, "1", "The largest distance that is no drift: 99 % of the baseline's own blocks lie below it."
)
_EFFECTIVE = Column("effective_rows", F64, "1", "How many independent rows they are worth: n (1 - r) / (1 + r).")
BASELINE = TableSpec(
    "drift_baseline",
    "a feature's bins over the panel by instrument, and the distance that means nothing",
    (
        Column("instrument", TEXT, "", "Id of the instrument."),
        _FEATURE,
        Column("edges", pl.List(F64), "of the feature", "Where the bins of shares end."),
        Column("shares", pl.List(F64), "1", "Share of the rows in each bin."),
        _THRESHOLD,
        Column("rows", I64, "1", "Rows of the panel."),
        Column("block_rows", I64, "1", "Rows of a block."),
        Column("log_mean", F64, "1", "Mean of ln(distance) over the baseline's own blocks; null if all are the same."),
        Column("log_std", F64, "1", "Its standard deviation; null where the mean is."),
        Column("blocks", I64, "1", "Blocks of the baseline."),
        _EFFECTIVE,
    ),
    Partitioning.WHOLE,
    sources=("dataset_panel",),
    clock=None,
)
DRIFT = TableSpec(
    "drift_report",
    "a feature's distance from the baseline on one day",
    (
        _FEATURE,
        Column("distance", F64, "1", "Population stability index: 0 is the same distribution; the median of blocks."),
        _THRESHOLD,
        Column("blocks", I64, "1", "Blocks of the day, each as long as the baseline's."),
        Column("p_value", F64, "1", "Chance of such a distance in a block of the baseline; null without a distance."),
        Column("weight", F64, "1", "How much the model looks at the feature: 1 on average."),
        _EFFECTIVE,
        Column(
            "drifted",
            pl.Boolean(),
            "",
            "Whether the distance is above the threshold, and among those with 5 % false discoveries.",
        ),
    ),
    sources=("features", "drift_baseline"),
    clock=None,
)
PROFILE = TableSpec(
    "feature_profile",
    "a feature's coverage, moments and quantiles over a day",
    (
        _FEATURE,
        Column("rows", I64, "1", "Rows of the day."),
        Column("coverage", F64, "1", "Share of the rows in which the feature is known."),
        Column("mean", F64, "of the feature", "Mean."),
        Column("std", F64, "of the feature", "Standard deviation."),
        Column("min", F64, "of the feature", "Smallest value."),
        Column("max", F64, "of the feature", "Largest value."),
        *(Column(f"q{100 * q:02.0f}", F64, "of the feature", f"Quantile {q:g}.") for q in QUANTILES),
        _EFFECTIVE,
    ),
    sources=("features",),
    clock=None,
)
SPECS = (PROFILE, BASELINE, DRIFT)


def profile(rows: pl.DataFrame, features: Sequence[str]) -> pl.DataFrame:
    """The table PROFILE of rows in order of time, one row per feature."""
    parts = []
    for name in features:
        known = rows[name].drop_nulls()
        values = {f"q{100 * q:02.0f}": known.quantile(q, "linear") for q in QUANTILES}
        spread = {"mean": known.mean(), "std": known.std(), "min": known.min(), "max": known.max()}
        counted = {"rows": rows.height, "coverage": known.len() / rows.height if rows.height else None}
        parts.append({"feature": name} | counted | spread | values | {"effective_rows": _effective(known.to_numpy())})
    return pl.DataFrame(parts, schema=PROFILE.schema)


def fit(panel: pl.DataFrame, features: Sequence[str]) -> pl.DataFrame:
    """The table BASELINE of a panel (`instrument`, features without nulls) in order of time, by instrument.

    An instrument with fewer than 2 000 rows, 40 blocks of 50, has no baseline.
    """
    parts = [
        {"instrument": instrument, "feature": name} | _fit(rows[name].to_numpy())
        for (instrument,), rows in panel.group_by("instrument", maintain_order=True)
        if rows.height >= BLOCKS * MIN_BLOCK_ROWS
        for name in features
    ]
    return pl.DataFrame(parts, schema=BASELINE.schema)


def compare(rows: pl.DataFrame, baseline: pl.DataFrame, gains: Mapping[str, float] | None = None) -> pl.DataFrame:
    """The table DRIFT of one instrument: the median distance of the blocks of `rows`, in order of time, by feature.

    A feature has drifted where its typical block is further off than 99 % of the baseline's own blocks are from the
    rest of the baseline, and where that is no false discovery: Benjamini and Hochberg's procedure at 5 % on p-values
    divided by the weights (Genovese, Roeder, Wasserman, Biometrika 93, 2006). An interval shorter than a block says
    nothing: its distance is null, `blocks` 0.

    Args:
        rows: features of a day.
        baseline: of the instrument.
        gains: each feature's share of what the model gained by it; None weights all alike.
    """
    weights = _weights(baseline["feature"].to_list(), gains)
    found = []
    for fitted in baseline.iter_rows(named=True):
        name, threshold = fitted["feature"], fitted["threshold"]
        known = rows[name].drop_nulls().to_numpy()
        counts = _counts(known, np.array(fitted["edges"]), fitted["block_rows"])
        distance = float(np.median(_distance(counts, np.array(fitted["shares"])))) if len(counts) else None
        p = None if distance is None else _p_value(distance, fitted)
        beyond = distance is not None and distance > threshold
        found.append((name, distance, threshold, len(counts), p, weights[name], _effective(known), beyond))
    table = pl.DataFrame(found, schema=DRIFT.schema, orient="row")
    return table.with_columns(drifted=pl.col("drifted") & pl.Series(_discoveries(table), dtype=pl.Boolean()))


def page(found: pl.DataFrame) -> str:
    """What the table DRIFT says, for people: Markdown."""
    compared = found.drop_nulls("distance")
    gone = compared.filter("drifted").sort("weight", descending=True)
    if compared.is_empty():
        return "Nothing was compared: the day is shorter than a block of the baseline, or has no baseline."
    share = 100 * float(gone["weight"].sum()) / float(compared["weight"].sum())
    head = f"{gone.height} of {compared.height} features drifted; they have {share:.0f} % of the weight in the model."
    lines = [
        head,
        "",
        "| feature | distance | threshold | p | weight | independent rows |",
        "|---|---|---|---|---|---|",
    ]
    shown = gone if gone.height else compared.sort("p_value").head(5)
    for row in shown.iter_rows(named=True):
        rows = "unknown" if row["effective_rows"] is None else f"{row['effective_rows']:.0f}"
        numbers = f"{row['distance']:.3f} | {row['threshold']:.3f} | {row['p_value']:.2g} | {row['weight']:.1f}"
        lines.append(f"| {row['feature']} | {numbers} | {rows} |")
    return "\n".join(lines if gone.height else [*lines[:1], "", "The nearest to their thresholds:", *lines[1:]])


def _weights(features: Sequence[str], gains: Mapping[str, float] | None) -> dict[str, float]:
    """Weight of each feature, 1 on average."""
    shares = {name: (gains or {}).get(name, 0.0) for name in features}
    total = sum(shares.values())
    return {name: len(shares) * share / total if total > 0 else 1.0 for name, share in shares.items()}


def _p_value(distance: float, fitted: Mapping[str, Any]) -> float:
    """Chance of such a distance for another block of the baseline: Student's t on ln(distance), as a prediction.

    The logarithm of such a distance has a lighter upper tail than a normal one, so the chance is rather too large.
    """
    from scipy.special import stdtr

    if fitted["log_std"] is None:
        return 0.0 if distance > fitted["threshold"] else 1.0
    n = fitted["blocks"]
    t = (np.log(max(distance, SMALLEST)) - fitted["log_mean"]) / (fitted["log_std"] * np.sqrt(1 + 1 / n))
    return float(stdtr(n - 1, -t))


def _discoveries(table: pl.DataFrame) -> list[bool]:
    """Of features: whether its weighted p-value is among those that Benjamini and Hochberg reject."""
    known = table.with_row_index("at").drop_nulls("p_value").filter(pl.col("weight") > 0)
    ranked = known.with_columns(weighted=pl.col("p_value") / pl.col("weight")).sort("weighted")
    # a weight of 0 is spent on the others, so the number of tests is that of all features compared
    limits = FALSE_DISCOVERIES * np.arange(1, ranked.height + 1) / max(table["p_value"].count(), 1)
    below = np.flatnonzero(ranked["weighted"].to_numpy() <= limits)
    chosen = set(ranked["at"][: int(below[-1]) + 1].to_list()) if len(below) else set[int]()
    return [at in chosen for at in range(table.height)]


def _fit(values: np.ndarray) -> dict[str, Any]:
    length = min(values.size // BLOCKS, LONGEST_BLOCK)
    # what lies outside all that was seen has bins of its own, else a slow feature could leave its range unnoticed;
    # a feature of few values has fewer bins, since equal deciles are one edge
    edges = np.unique([values.min(), *np.quantile(values, DECILES), np.nextafter(values.max(), np.inf)])
    counts = _counts(values, edges, length)
    rest = counts.sum(axis=0) - counts
    distances = [_distance(block[None], others / others.sum())[0] for block, others in zip(counts, rest, strict=True)]
    logs = np.log(np.maximum(distances, SMALLEST))
    spread = logs.std(ddof=1)
    same = {"log_mean": None, "log_std": None} if spread == 0 else {"log_mean": logs.mean(), "log_std": spread}
    numbers = {
        "rows": values.size,
        "block_rows": length,
        "blocks": len(distances),
        "effective_rows": _effective(values),
    }
    shares = counts.sum(axis=0) / counts.sum()
    return (
        {"edges": edges, "shares": shares, "threshold": float(np.quantile(distances, THRESHOLD_QUANTILE))}
        | same
        | numbers
    )


def _counts(values: np.ndarray, edges: np.ndarray, length: int) -> np.ndarray:
    """Rows by whole block and bin, i64 (blocks, edges + 1)."""
    blocks = values.size // length
    bins = edges.size + 1
    values = values[: blocks * length]
    cells = np.arange(values.size) // length * bins + np.searchsorted(edges, values, side="right")
    return np.bincount(cells, minlength=blocks * bins).reshape(blocks, bins)


def _distance(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Population stability index of each block: sum of (p - q) ln(p / q) over bins, half a row in an empty one."""
    n = counts.sum(axis=1, keepdims=True)
    p = np.maximum(counts, 0.5) / n
    q = np.maximum(shares, 0.5 / n)
    return ((p - q) * np.log(p / q)).sum(axis=1)


def _effective(values: np.ndarray) -> float | None:
    """Independent rows that say as much about the mean, for an autocorrelation that decays from one step on."""
    if values.size < 3 or np.ptp(values) == 0.0:
        return None
    off = values - values.mean()
    r = min(max(float(off[1:] @ off[:-1] / (off @ off)), 0.0), 1.0)
    return values.size * (1 - r) / (1 + r)
