"""The picture of a cue: the book around it by time and price, with trades and the pulled lots outlined.

Here: a stored window onto a grid, and the drawing.
Not here: the window (`ml.layering.stored`), where the picture is shown (`live.pages`).
"""

from typing import Any

import numpy as np

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.layering.stored import Around, Window, best, books_at
from ml.plotting.figures import empty, png

STEP_NS = SECOND // 4
ROWS = 160
"""Most rows of the grid; a wider range of prices shares rows."""
OUTLINE = "#ff3b6b"


def picture(around: Around, instrument: Instrument) -> bytes:
    """The picture of a stored cue as PNG; the same cue and market give the same bytes."""
    cue, window = around
    grid, touch, prices = grid_of(around, instrument)
    origin = cue["last_pull"]
    scale = 10**instrument.price_decimals
    left, right = (window.start - origin) / SECOND, (window.end - origin) / SECOND
    step = int(prices[1] - prices[0])
    # a row holds the sizes from its price up to that of the next row; each price lies in the middle of its tick
    bottom, top = (prices[0] - instrument.tick / 2) / scale, (prices[-1] + step - instrument.tick / 2) / scale
    figure, axes = empty(14, 6)
    axes.set_facecolor("#d9d9d9")
    drawn = axes.imshow(
        np.log1p(grid / 10**instrument.size_decimals),
        aspect="auto",
        origin="lower",
        extent=(left, right, bottom, top),
        cmap="viridis",
        interpolation="nearest",
    )
    figure.colorbar(drawn, ax=axes, label="resting size, ln(1 + size)", pad=0.01)
    times = left + (np.arange(grid.shape[1]) + 0.5) * STEP_NS / SECOND
    for side, color in ((0, "#ffffff"), (1, "#ffb000")):
        name = "best bid" if side == 0 else "best ask"
        axes.step(times, touch[:, side] / scale, where="mid", color=color, linewidth=1.1, label=name)
    _draw_trades(axes, window, origin, scale)
    _draw_lots(axes, cue, origin, scale, step / 2 / scale)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="seconds from the last pull", ylabel="price")
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.legend(loc="upper left", fontsize=8, framealpha=0.85, ncols=6)
    return png(figure)


def grid_of(around: Around, instrument: Instrument) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resting size, best prices and price rows around a cue, in units of the instrument.

    Returns:
        Size f64 (price rows, steps), at the end of each step, NaN where the book is unknown; best bid and ask f64
        (steps, 2), NaN where there is none; prices of the rows i64, at least two, ascending and evenly spaced.
    """
    cue, window = around
    ends = range(window.start + STEP_NS, window.end + STEP_NS, STEP_NS)
    pairs = [[np.nan if price is None else price for price in best(book or {})] for book in books_at(window, ends)]
    touch = np.array(pairs, float)
    touch[np.array(ends) > window.known_until + STEP_NS] = np.nan
    seen = touch[np.isfinite(touch)].tolist() + list(cue["prices"])
    margin = max((max(seen) - min(seen)) // 5, 5 * instrument.tick)
    low, high = int(min(seen) - margin), int(max(seen) + margin)
    step = max(instrument.tick, -(-(high - low) // ROWS // instrument.tick) * instrument.tick)
    prices = np.arange(low - low % step, high + step, step)
    grid = np.zeros((len(prices), len(ends)))
    # a second pass, since the books of all steps together may be large
    for column, (end, book) in enumerate(zip(ends, books_at(window, ends), strict=True)):
        if book is None or end > window.known_until + STEP_NS:
            grid[:, column] = np.nan
            continue
        at = (np.fromiter((price for _, price in book), np.int64, len(book)) - prices[0]) // step
        is_shown = (at >= 0) & (at < len(prices))
        sizes = np.fromiter(book.values(), np.int64, len(book))
        grid[:, column] = np.bincount(at[is_shown], sizes[is_shown], len(prices))
    return grid, touch, prices


def _draw_trades(axes: Any, window: Window, origin: int, scale: int) -> None:
    for side, marker, color, name in ((1, "^", "#7CFC00", "buy trade"), (-1, "v", "#ff5555", "sell trade")):
        trades = window.trades.filter(side=side)
        if trades.height:
            at = (trades["event_ts"].to_numpy() - origin) / SECOND
            sizes = trades["size"].to_numpy() / max(int(window.trades["size"].to_numpy().max()), 1)
            axes.scatter(
                at,
                trades["price"].to_numpy() / scale,
                8 + 80 * sizes,
                color=color,
                marker=marker,
                edgecolors="black",
                linewidths=0.4,
                label=name,
                zorder=3,
            )


def _draw_lots(axes: Any, cue: dict[str, Any], origin: int, scale: int, half: float) -> None:
    """The prices of the pulled lots from the first placement to the last pull, and the time of the pulls."""
    from matplotlib.patches import Rectangle

    start, first = ((cue[name] - origin) / SECOND for name in ("start", "first_pull"))
    for k, price in enumerate(cue["prices"]):
        label = f"pulled {cue['side']} lots" if k == 0 else None
        corner = (start, price / scale - half)
        axes.add_patch(
            Rectangle(corner, -start, 2 * half, fill=False, edgecolor=OUTLINE, linewidth=1.3, label=label, zorder=4)
        )
    axes.axvspan(first, 0, color=OUTLINE, alpha=0.12, linewidth=0, label="pulls", zorder=1)
