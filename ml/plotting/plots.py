"""Plots as PNG bytes, small enough to be kept with a run.

Here: one function a plot.
Not here: where they are shown (`assets.metadata`, `ml.promotion.registry`).
"""

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.plotting.depth import depth_grid
from ml.plotting.figures import empty, png
from ml.tables.schemas import horizons_of

BLOCKS = 20


def depth(samples: pl.DataFrame, instrument: Instrument) -> bytes:
    """Depth heat-map of a day: resting size by time and distance from the mid; white where the book is unknown."""
    figure, axes = empty(8, 3.2)
    times, distances, grid = depth_grid(samples, instrument)
    if len(times) > 1:
        extent = (times[0], times[-1], distances[0], distances[-1])
        drawn = axes.imshow(
            np.log1p(grid), aspect="auto", origin="lower", extent=extent, cmap="viridis", interpolation="nearest"
        )
        figure.colorbar(drawn, ax=axes, label="ln(1 + size)")
    axes.set(xlabel="hour (UTC)", ylabel="distance from mid", title=f"Resting size, {instrument.id}")
    return png(figure)


def known_hours(hours: pl.DataFrame) -> bytes:
    """Heat-map of a day: known share of each hour, one row per instrument (`ml.market.gaps.hours`)."""
    names = hours["instrument"].unique().sort().to_list()
    figure, axes = empty(8, 1.4 + 0.25 * len(names))
    if names:
        grid = hours.sort("instrument", "hour")["share"].to_numpy().reshape(len(names), -1)
        drawn = axes.imshow(grid, aspect="auto", cmap="RdYlGn", vmin=0, vmax=1, interpolation="nearest")
        figure.colorbar(drawn, ax=axes, label="share known")
    axes.set(xlabel="hour (UTC)", title=f"Book known, {', '.join(hours['date'].unique().sort())}")
    axes.set(yticks=range(len(names)), yticklabels=names, xticks=range(0, 24, 2))
    return png(figure)


def known_days(shares: pl.DataFrame) -> bytes:
    """Heat-map of a month: known share of each day's rows, one row per family or horizon (`ml.tables.coverage`)."""
    names = shares["of"].unique(maintain_order=True).to_list()
    figure, axes = empty(8, 1.4 + 0.25 * len(names))
    days = shares["date"].unique(maintain_order=True).to_list()
    if days:
        grid = shares["share"].to_numpy().reshape(len(names), len(days))
        drawn = axes.imshow(grid, aspect="auto", cmap="RdYlGn", vmin=0, vmax=1, interpolation="nearest")
        figure.colorbar(drawn, ax=axes, label="share known")
    axes.set(xlabel="day", title="Rows without a null, by day")
    axes.set(yticks=range(len(names)), yticklabels=names, xticks=range(len(days)))
    axes.set_xticklabels([day[-2:] for day in days], fontsize=7)
    return png(figure)


def candles(frame: pl.DataFrame, instrument: Instrument) -> bytes:
    """Close and volume of a day's candles by minute; grey where they are not known."""
    figure, axes = empty(8, 2.4)
    hours = np.arange(1, frame.height + 1) / 60
    unknown = frame["reason"].is_not_null().to_numpy()
    whole = axes.get_xaxis_transform()
    axes.fill_between(hours, 0, 1, where=unknown, transform=whole, color="0.9", linewidth=0, step="pre")
    axes.plot(hours, frame["close"].to_numpy() / 10**instrument.price_decimals, linewidth=0.8)
    volume = axes.twinx()
    sizes = frame["volume"].fill_null(0).to_numpy() / 10**instrument.size_decimals
    volume.fill_between(hours, 0, sizes, step="pre", alpha=0.4, linewidth=0)
    volume.set(ylabel="volume")
    axes.set(xlabel="hour (UTC)", ylabel="close", title=f"Minutes, {instrument.id}", xlim=(0, frame.height / 60))
    return png(figure)


def known_features(shares: pl.DataFrame) -> bytes:
    """Share of rows with a value by feature, by family (`ml.features.tick.build.coverage`)."""
    figure, axes = empty(8, 2.6)
    numbered = shares.with_row_index("at")
    for (family,), own in numbered.group_by("family", maintain_order=True):
        axes.bar(own["at"].to_numpy(), own["share"].to_numpy(), width=1.0, label=str(family))
    axes.set(xlabel="feature", ylabel="share of rows", title="Features with a value", ylim=(0, 1.02))
    if shares.height:
        axes.legend(fontsize=7, ncols=6, loc="lower center")
    return png(figure)


def label_shares(labels: pl.DataFrame) -> bytes:
    """Share of moves beyond each size by horizon, with the fixed 10 bps threshold marked."""
    figure, axes = empty(5.5, 3)
    for h in horizons_of(labels.columns):
        moves = labels[f"movement_{h}s"].drop_nulls().abs().sort().to_numpy() * 1e4
        if moves.size:
            at = np.linspace(0, moves.size - 1, 200).astype(int)
            axes.plot(moves[at], 1 - at / moves.size, label=f"{h} s")
    axes.axvline(10, color="grey", linestyle=":", label="10 bps")
    axes.set(xlabel="|movement| (bps)", ylabel="share of rows beyond", xlim=(0, 15), ylim=(0, 1))
    axes.set_title("How far the mid moves")
    axes.legend(loc="upper right")
    return png(figure)


def class_shares(panel: pl.DataFrame) -> bytes:
    """Shares of down, neutral and up over time, in twenty intervals of equal rows."""
    figure, axes = empty(5.5, 3)
    if panel.height >= BLOCKS:
        block = np.arange(panel.height) * BLOCKS // panel.height
        shares = np.array([np.bincount(block[panel["direction"] == k], minlength=BLOCKS) for k in range(3)], float)
        shares /= shares.sum(axis=0)
        axes.stackplot(range(BLOCKS), shares, labels=("down", "neutral", "up"))
        axes.legend(loc="upper left", fontsize=7)
    axes.set(xlabel="interval of rows, by time", ylabel="share", xlim=(0, BLOCKS - 1), ylim=(0, 1))
    axes.set_title("Classes over time")
    return png(figure)


def distances(drift: pl.DataFrame) -> bytes:
    """Each feature's distance from the baseline relative to the threshold of `ml.evaluation.drift.compare`."""
    figure, axes = empty(8, 2.8)
    over = drift.filter(pl.col("distance").is_not_null() & (pl.col("threshold") > 0)).with_columns(
        over=pl.col("distance") / pl.col("threshold")
    )
    top = over.sort("over", "feature", descending=[True, False]).head(25)
    axes.bar(range(top.height), top["over"].to_numpy(), color=["tab:red" if d else "tab:blue" for d in top["drifted"]])
    axes.axhline(1, color="grey", linestyle=":")
    axes.set(ylabel="distance / bar", title="Furthest from the baseline")
    axes.set_xticks(range(top.height), top["feature"].to_list(), rotation=90, fontsize=6)
    return png(figure)


def folds(scores: pl.DataFrame) -> bytes:
    """Macro-accuracy per fold: training block, test block and baselines."""
    figure, axes = empty(5.5, 3)
    series = ["train", "test", "majority", "last_direction", "logistic_imbalance"]
    width = 0.16
    for k, name in enumerate(series):
        axes.bar(scores["fold"].to_numpy() + k * width, scores[name].to_numpy(), width, label=name)
    axes.axhline(1 / 3, color="grey", linestyle=":")
    axes.set(xlabel="fold", ylabel="macro-accuracy", title="Walk-forward", ylim=(0.25, None))
    axes.legend(fontsize=7, ncols=2, loc="lower right")
    return png(figure)


def trials(losses: list[float]) -> bytes:
    """Log loss of each trial of a search, in their order, and the best so far."""
    figure, axes = empty(5.5, 2.6)
    numbers = np.arange(1, len(losses) + 1)
    axes.scatter(numbers, losses, s=14, label="trial")
    axes.step(numbers, np.minimum.accumulate(np.array(losses, float)), where="post", label="best so far")
    axes.set(xlabel="trial", ylabel="log loss", title="Search for parameters")
    axes.legend(fontsize=7)
    return png(figure)


def gains(shares: dict[str, float]) -> bytes:
    """Each feature's share of what a model's splits gained, the largest first, at most 25."""
    top = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:25]
    figure, axes = empty(8, 1.0 + 0.18 * len(top))
    axes.barh([name for name, _ in top][::-1], [share for _, share in top][::-1])
    axes.set(xlabel="share of the gain", title="What the model looks at")
    axes.tick_params(axis="y", labelsize=6)
    return png(figure)


def fates(rows: dict[str, int]) -> bytes:
    """Bars of rows by what became of them: kept, a duplicate, quarantined for a reason."""
    figure, axes = empty(8, 1.0 + 0.3 * len(rows))
    axes.barh(list(rows)[::-1], list(rows.values())[::-1])
    axes.set(xlabel="rows", title="What became of the rows")
    return png(figure)


def reliability(bins: list[tuple[float, float, int]]) -> bytes:
    """Predicted probability against observed share; the size of a dot is its count."""
    figure, axes = empty(3.6, 3.4)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    if bins:
        predicted, observed, count = (np.array(values) for values in zip(*bins, strict=True))
        axes.scatter(predicted, observed, s=10 + 120 * count / count.max())
    axes.set(xlabel="predicted", ylabel="observed", title="Reliability", xlim=(0, 1), ylim=(0, 1))
    return png(figure)
