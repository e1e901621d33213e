"""Is one model better than another on the same rows? A paired block test that may be looked at while data come in.

Here: the design of a test with the data that it needs, and one look at it.
Not here: the rows that two models answered, and their losses (`ml.promotion.comparison`), the gates of a candidate
(`ml.evaluation.gates`).

Neighbouring labels overlap and errors are autocorrelated, so rows are not independent: the standard error comes from a
moving-block bootstrap (Kuensch 1989) over blocks of max(10 horizons, 600 s), all instruments of a block together.
Looking several times would find a difference by chance more often than `alpha`: each look has a wider interval, by the
O'Brien-Fleming spending function of Lan and DeMets (Biometrika 70, 1983). The share of the plan that has been reached
is measured as information, the precision so far over the planned one, which does not depend on who is ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from ml.core.time import SECOND

Verdict = Literal["promote", "refuse", "insufficient"]

MIN_BLOCK_S = 600
BLOCK_HORIZONS = 10
MIN_BLOCKS = 10
"""With fewer blocks their spread is not known well enough for any interval."""
SMALLEST_TAIL = 1e-9
"""A look spends at least this much of alpha, so that its interval is finite; what it adds to alpha is nothing."""
DRAWS = 2_000
SEED = 1
GRID = 401
MIN_STEP = 0.01
"""Share of the planned information that must be new for another look."""
DAY_S = 86_400


@dataclass(frozen=True)
class Design:
    """What is tested, fixed before the first row.

    Args:
        horizon: seconds from a row to the end of its label.
        effect: the smallest gain worth having, in units of the loss (0.02: two points of accuracy).
        alpha: chance that two equal models are called different, in either direction, over all looks together.
        power: chance that a gain of `effect` is found once the planned data are in.
        draws: of the bootstrap.
        seed: of the bootstrap.
    """

    horizon: int
    effect: float = 0.02
    alpha: float = 0.05
    power: float = 0.80
    draws: int = DRAWS
    seed: int = SEED

    @property
    def block_ns(self) -> int:
        """Length of a block in ns."""
        return block_ns(self.horizon)

    def labels(self, discordance: float) -> float:
        """Labels that do not overlap, as many as the test needs: (z_alpha + z_power)^2 (q - d^2) / d^2.

        McNemar's test after Connor (Biometrics 43, 1987); q is the discordance, the share of rows on which one model
        is right and the other is wrong (the mean square of the difference for other losses), d the effect.
        """
        return self._quantiles**2 * max(discordance - self.effect**2, 0.0) / self.effect**2

    def symbol_days(self, labels: float) -> float:
        """Days of one instrument that hold so many labels, one per horizon."""
        return labels * self.horizon / DAY_S

    def needs(self, discordance: float) -> str:
        """The data that the test needs, for people: `needs 4.1 symbol-days`."""
        return f"needs {self.symbol_days(self.labels(discordance)):.1f} symbol-days"

    @property
    def planned_error(self) -> float:
        """The standard error at which `effect` is found with `power`."""
        return self.effect / self._quantiles

    @property
    def _quantiles(self) -> float:
        from scipy.special import ndtri

        return float(ndtri(1 - self.alpha / 2) + ndtri(self.power))


@dataclass(frozen=True)
class Look:
    """What the rows so far say about the challenger.

    Args:
        outcome: `promote` if the lower bound of the gain is above 0; `refuse` if the upper bound is below the effect,
            or the planned data are in; else `insufficient`.
        gain: mean loss of the champion minus mean loss of the challenger; None without rows.
        lower: bound of the gain at this look; None where there are too few blocks, or nothing new since the last look.
        upper: the other bound, None where `lower` is.
        fraction: information so far over the planned, 0 to 1; it is what the next look gets in `earlier`.
        rows: compared.
        blocks: whole blocks that the rows span.
        symbol_days: of labels compared.
        needed_symbol_days: of the whole test, at the variance measured; None where there are too few blocks.
        more_symbol_days: still to come; None where there are too few blocks.
        detail: all of it in a sentence.
    """

    outcome: Verdict
    gain: float | None
    lower: float | None
    upper: float | None
    fraction: float
    rows: int
    blocks: int
    symbol_days: float
    needed_symbol_days: float | None
    more_symbol_days: float | None
    detail: str


def block_ns(horizon: int) -> int:
    """Length of a block of rows whose labels reach so many seconds ahead: max(10 horizons, 600 s), ns."""
    return max(BLOCK_HORIZONS * horizon, MIN_BLOCK_S) * SECOND


def look(rows: pl.DataFrame, design: Design, earlier: Sequence[float] = ()) -> Look:
    """Judge the challenger on the rows so far.

    Args:
        rows: instrument, ts (i64 ns), champion_loss, challenger_loss (f64), in any order.
        design: of the test.
        earlier: `fraction` of each earlier look that had bounds, in order.

    Raises:
        ValueError: an earlier look ended the test.
    """
    last = max(earlier, default=0.0)
    if last >= 1:
        raise ValueError("The planned data were in at an earlier look: the test has ended. Start another one.")
    if rows.is_empty():
        return Look("insufficient", None, None, None, last, 0, 0, 0.0, None, None, "no row was answered by both models")
    ordered = rows.sort("ts")
    ts = ordered["ts"].to_numpy()
    difference = (ordered["champion_loss"] - ordered["challenger_loss"]).to_numpy()
    gain = float(difference.mean())
    bucket = pl.col("ts") // (design.horizon * SECOND)
    days = design.symbol_days(rows.select(pl.struct("instrument", bucket).n_unique()).item())
    blocks = block_count(ts, design.block_ns)
    if blocks < MIN_BLOCKS:
        hours = MIN_BLOCKS * design.block_ns / SECOND / 3600
        detail = f"{_points(gain)} over {blocks} blocks; an interval takes {MIN_BLOCKS} blocks, {hours:.1f} h"
        return Look("insufficient", gain, None, None, last, len(ts), blocks, days, None, None, detail)
    error = standard_error(ts, difference, design.block_ns, design.draws, design.seed)
    reached = 1.0 if error == 0 else min((design.planned_error / error) ** 2, 1.0)
    needed = days / reached
    data = f"needs {needed:.1f} symbol-days, {needed - days:.1f} more"
    if reached < min(last + MIN_STEP, 1.0):
        detail = f"{_points(gain)}; nothing new since the look at {100 * last:.0f} % of the information; {data}"
        return Look("insufficient", gain, None, None, last, len(ts), blocks, days, needed, needed - days, detail)
    width = student(boundaries([*earlier, reached], design.alpha)[-1], blocks) * error
    lower, upper = gain - width, gain + width
    bounds = f"bounds {100 * lower:+.1f} to {_points(upper)} at {100 * reached:.0f} % of the information"
    detail = f"{_points(gain)}, {bounds}; {data}"
    outcome = _outcome(lower, upper, reached, design.effect)
    return Look(outcome, gain, lower, upper, reached, len(ts), blocks, days, needed, needed - days, detail)


def block_count(ts: np.ndarray, block_ns: int) -> int:
    """Whole blocks that times (i64 ns, ascending) span, rounded to the nearest: the last row of a day ends it."""
    return round((int(ts[-1]) - int(ts[0])) / block_ns)


def standard_error(ts: np.ndarray, values: np.ndarray, block_ns: int, draws: int, seed: int) -> float:
    """Standard error of the mean of autocorrelated values, by a moving-block bootstrap.

    A block begins at any row and holds the values of the next `block_ns`, so gaps make blocks of fewer rows. A draw is
    the mean over as many blocks as the times span. Blocks of one sample differ less than those of the market do, by
    (blocks - 1) / blocks, for which the result is corrected.

    Args:
        ts: i64 ns, ascending, several rows of a time together.
        values: f64, one per time.
        block_ns: length of a block; the times must span two at least.
        draws: of the bootstrap.
        seed: of the bootstrap.
    """
    blocks = block_count(ts, block_ns)
    total, count = block_sums(ts, values, block_ns)
    picks = np.random.default_rng(seed).integers(0, len(total), (draws, blocks))
    means = total[picks].sum(axis=1) / count[picks].sum(axis=1)
    return float(means.std() * np.sqrt(blocks / (blocks - 1)))


def block_sums(ts: np.ndarray, values: np.ndarray, block_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum f64 and count i64 of the values of each block within the times; one begins at each distinct time."""
    starts = np.unique(ts)
    # a block may end where the rows end: the last of them lasts as long as one is apart from the next
    step = int(np.diff(starts).min()) if len(starts) > 1 else 0
    starts = starts[starts + block_ns <= ts[-1] + step]
    first = np.searchsorted(ts, starts)
    end = np.searchsorted(ts, starts + block_ns)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return sums[end] - sums[first], end - first


def spent(fraction: float, alpha: float) -> float:
    """Alpha spent at a fraction of the information, nearly nothing at first.

    Each side spends its half, a, as 2 (1 - Phi(z / sqrt(fraction))) with z the quantile 1 - a / 2.
    """
    from scipy.special import ndtr, ndtri

    return float(4 * ndtr(ndtri(alpha / 4) / np.sqrt(fraction))) if fraction > 0 else 0.0


def boundaries(fractions: Sequence[float], alpha: float) -> list[float]:
    """How many standard errors a difference must be from 0 at each look, so that all looks together spend `alpha`.

    The distribution of the statistic that has not crossed so far is carried from look to look on a grid (Armitage,
    McPherson and Rowe, J. R. Stat. Soc. A 132, 1969).

    Args:
        fractions: of the information at each look, ascending by `MIN_STEP` at least (but the last, 1), 0 to 1.
        alpha: for both sides together.
    """
    from scipy.special import ndtri

    found: list[float] = []
    before = 0.0
    at = mass = np.zeros(0)
    for fraction in fractions:
        tail = max(spent(fraction, alpha) - spent(before, alpha), SMALLEST_TAIL)
        sd = float(np.sqrt(fraction - before))
        limit = _crossing(at, mass, sd, tail) if found else -float(ndtri(tail / 2)) * sd
        inside = np.linspace(-limit, limit, GRID)
        density = _normal((inside[:, None] - at) / sd) @ mass if found else _normal(inside / sd)
        at, mass = inside, density / sd * _simpson(inside)
        found.append(limit / float(np.sqrt(fraction)))
        before = fraction
    return found


def _crossing(at: np.ndarray, mass: np.ndarray, sd: float, tail: float) -> float:
    """Where the statistic, `mass` at `at` before a step of `sd`, is further from 0 with probability `tail`."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    def excess(limit: float) -> float:
        return float((ndtr((-limit - at) / sd) + ndtr((at - limit) / sd)) @ mass) - tail

    return float(brentq(excess, 0.0, float(at[-1]) + 8 * sd))  # type: ignore[arg-type]


def _normal(z: np.ndarray) -> np.ndarray:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _simpson(at: np.ndarray) -> np.ndarray:
    weights = np.full(len(at), 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return weights * (at[1] - at[0]) / 3


def student(normal: float, blocks: int) -> float:
    """The quantile of Student's t, with blocks - 1 degrees of freedom, as far out as a quantile of the normal one."""
    from scipy.special import ndtr, stdtrit

    return -float(stdtrit(blocks - 1, ndtr(-normal)))


def _outcome(lower: float, upper: float, fraction: float, effect: float) -> Verdict:
    if lower > 0:
        return "promote"
    return "refuse" if upper < effect or fraction >= 1 else "insufficient"


def _points(gain: float) -> str:
    return f"{100 * gain:+.1f} pp"
