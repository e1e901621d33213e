"""What a strategy earned, and how much of it may be chance: daily returns, Sharpe ratios with intervals, PBO.

Here: equity marked to the market -> returns of UTC days; Sharpe ratio with its interval, probabilistic and deflated;
the probability of backtest overfitting; net returns of two strategies compared over blocks of 600 s where days are few.
Not here: fills and equity (`ml.evaluation.backtest`), which number must be how large (`ml.evaluation.gates`).

Conventions: simple returns of UTC days, ddof 1, sqrt(365), no risk-free rate. A Sharpe ratio is never shown without its
interval and its number of days: over 30 days its standard error is about 3.5, over one day 19.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt
from typing import Any

import numpy as np
import polars as pl

from ml.core.time import DAY_NS, SECOND, date_of
from ml.evaluation import ab_test

DAYS_PER_YEAR = 365
MIN_DAYS = 30
"""Below so many UTC days no Sharpe ratio decides anything."""
CONFIDENCE = 0.95
BLOCK_NS = ab_test.MIN_BLOCK_S * SECOND
EULER = 0.5772156649015329


@dataclass(frozen=True)
class Sharpe:
    """An annualised Sharpe ratio as it may be shown: with its interval and its number of days.

    Args:
        days: UTC days with a return.
        ratio: annualised; None below 2 days, or where every day returned the same.
        lower: bound at 95 %, None where the ratio is.
        upper: the other bound.
        probability: that the true ratio is above 0 (probabilistic Sharpe ratio), None where the ratio is.
    """

    days: int
    ratio: float | None
    lower: float | None
    upper: float | None
    probability: float | None

    def __str__(self) -> str:
        if self.ratio is None:
            return f"not computed: {self.days} days, or none that differs"
        return f"{self.ratio:.1f} ({100 * CONFIDENCE:.0f} %: {self.lower:.1f} to {self.upper:.1f}, {self.days} days)"


@dataclass(frozen=True)
class Paired:
    """Net return of one strategy less that of another over the same time, f64 fractions of the capital.

    Args:
        blocks: of 600 s.
        mean: per block; None where there are too few blocks.
        lower: bound of the mean at 95 %.
        upper: the other bound.
    """

    blocks: int
    mean: float | None
    lower: float | None
    upper: float | None

    def __str__(self) -> str:
        if self.mean is None or self.lower is None or self.upper is None:
            return f"not computed: {self.blocks} blocks of 600 s, {ab_test.MIN_BLOCKS} are needed"
        mean, lower, upper = (1e4 * value for value in (self.mean, self.lower, self.upper))
        return (
            f"{mean:+.3f} bps per 600 s ({100 * CONFIDENCE:.0f} %: {lower:+.3f} to {upper:+.3f}, {self.blocks} blocks)"
        )


def daily_returns(equity: pl.DataFrame) -> pl.DataFrame:
    """Returns of UTC days: date (text), return (f64), ascending.

    A mark at midnight belongs to the day that it ends. A day whose marks are all null, or that has none, has no row:
    what was earned in it is unknown, and the next return starts from the last mark known.

    Args:
        equity: ts (i64 ns), equity (f64, null where a position could not be marked), ascending.
    """
    known = equity.drop_nulls("equity")
    if known.height < 2:
        return pl.DataFrame(schema={"date": pl.String(), "return": pl.Float64()})
    closes = known.group_by((pl.col("ts") - 1) // DAY_NS, maintain_order=True).agg(pl.col("equity").last())
    before = [known["equity"][0], *closes["equity"][:-1]]
    dates = [date_of(int(day) * DAY_NS) for day in closes["ts"]]
    return pl.DataFrame({"date": dates, "return": closes["equity"] / pl.Series(before) - 1})


def sharpe(returns: np.ndarray) -> Sharpe:
    """The annualised Sharpe ratio of returns of UTC days, f64 (n).

    The interval is that of Mertens (2002), for returns of any skewness and kurtosis:
    variance (1 - g3 SR + (g4 - 1) / 4 SR^2) / (n - 1) of the ratio per day.
    """
    n = len(returns)
    daily = ratio_per_period(returns)
    if daily is None:
        return Sharpe(n, None, None, None, None)
    error = _error(returns, daily)
    width = _quantile((1 + CONFIDENCE) / 2) * error
    year = sqrt(DAYS_PER_YEAR)
    return Sharpe(n, daily * year, (daily - width) * year, (daily + width) * year, probabilistic_sharpe(returns))


def ratio_per_period(returns: np.ndarray) -> float | None:
    """Mean over standard deviation (ddof 1); None below two returns, or where all are the same."""
    if len(returns) < 2 or np.ptp(returns) == 0:
        return None
    return float(returns.mean() / returns.std(ddof=1))


def probabilistic_sharpe(returns: np.ndarray, benchmark: float = 0.0) -> float | None:
    """Probability that the true ratio per period is above a benchmark (Bailey, Lopez de Prado, J. of Risk 15, 2012).

    Phi((SR - benchmark) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)); None where there is no ratio.
    """
    daily = ratio_per_period(returns)
    return None if daily is None else _cdf((daily - benchmark) / _error(returns, daily))


def expected_maximum(trials: int, spread: float) -> float:
    """The best ratio per period that so many trials without skill are expected to show.

    spread ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), g = .5772; 0 for a single trial.

    Args:
        trials: all that were ever made on these data.
        spread: standard deviation of the ratio per period over trials.
    """
    if trials < 2:
        return 0.0
    return spread * ((1 - EULER) * _quantile(1 - 1 / trials) + EULER * _quantile(1 - 1 / (trials * np.e)))


def deflated_sharpe(returns: np.ndarray, trials: int, spread: float | None = None) -> float | None:
    """Probability that the true ratio is above what the best of all trials shows by chance; None without a ratio.

    Bailey, Lopez de Prado, J. of Portfolio Management 40 (2014).

    Args:
        returns: of UTC days, f64.
        trials: all that were ever made on this data lineage.
        spread: standard deviation of the ratio per day over trials; None takes that of trials without skill,
            1 / sqrt(n - 1), for trials whose returns nobody kept.
    """
    if len(returns) < 2:
        return None
    return probabilistic_sharpe(returns, expected_maximum(trials, spread or 1 / sqrt(len(returns) - 1)))


def overfitting(performance: np.ndarray) -> float | None:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation; None below two trials.

    The share of halves of the blocks in which the best trial is no better than the median trial in the other half
    (Bailey, Borwein, Lopez de Prado, Zhu, J. of Computational Finance 20, 2017).

    Args:
        performance: f64 (blocks, trials), more is better, the mean over a block; an even number of blocks, 16 at most.

    Raises:
        ValueError: the number of blocks is odd, or above 16.
    """
    blocks, trials = performance.shape
    if blocks % 2 or not 2 <= blocks <= 16:
        raise ValueError(f"{blocks} blocks cannot be halved in every way. Give an even number of 2 to 16 blocks.")
    if trials < 2:
        return None
    halves = np.zeros((comb(blocks, blocks // 2), blocks))
    for row, chosen in enumerate(combinations(range(blocks), blocks // 2)):
        halves[row, list(chosen)] = 1
    inside, outside = halves @ performance, (1 - halves) @ performance
    best = inside.argmax(axis=1)
    reached = np.take_along_axis(outside, best[:, None], axis=1)
    below = (outside < reached).sum(axis=1) + ((outside == reached).sum(axis=1) - 1) / 2
    # relative rank among trials, from 0 (worst) to 1 (best): at the median or below is overfitted
    return float((below / (trials - 1) <= 0.5).mean())


def search_overfitting(trials: Sequence[Mapping[str, Any]]) -> float | None:
    """Probability that the best trial of a search is so by luck (`overfitting`); None where too little was kept.

    Args:
        trials: of `ml.learning.tuned.Tuned`, each with its log loss in blocks of time.
    """
    losses = [trial.get("blocks", []) for trial in trials]
    blocks = min((len(own) for own in losses), default=0)
    return overfitting(-np.array(losses).T) if blocks >= 2 and blocks % 2 == 0 else None


def paired_return(equity: pl.DataFrame, other: pl.DataFrame, step: int = SECOND) -> Paired:
    """Net return of one strategy less another's over blocks of 600 s, where days are too few for a Sharpe ratio.

    The interval is that of a moving-block bootstrap (`ml.evaluation.ab_test.standard_error`).

    Args:
        equity: ts (i64 ns), equity (f64, 1 at the start, null where unknown), ascending.
        other: of the other strategy, at the same times.
        step: ns between marks; a change is known only between two that are so far apart and both known.
    """
    both = equity.join(other, on="ts", suffix="_other").sort("ts")
    lead = pl.col("equity") - pl.col("equity_other")
    changes = both.select("ts", change=pl.when(pl.col("ts").diff() == step).then(lead.diff())).drop_nulls()
    if changes.height < 2:
        return Paired(0, None, None, None)
    ts = changes["ts"].to_numpy()
    values = changes["change"].to_numpy() * (BLOCK_NS / step)
    blocks = ab_test.block_count(ts, BLOCK_NS)
    if blocks < ab_test.MIN_BLOCKS:
        return Paired(blocks, None, None, None)
    mean, low, high = mean_interval(ts, values)
    return Paired(blocks, mean, low, high)


def mean_interval(ts: np.ndarray, values: np.ndarray) -> tuple[float, float | None, float | None]:
    """Mean of autocorrelated values and its interval at 95 % over blocks of 600 s; no bounds with too few blocks.

    Args:
        ts: i64 ns, ascending, one at least.
        values: f64.
    """
    mean = float(values.mean())
    blocks = ab_test.block_count(ts, BLOCK_NS)
    if blocks < ab_test.MIN_BLOCKS:
        return mean, None, None
    width = ab_test.student(_quantile((1 + CONFIDENCE) / 2), blocks)
    width *= ab_test.standard_error(ts, values, BLOCK_NS, ab_test.DRAWS, ab_test.SEED)
    return mean, mean - width, mean + width


def probability_not_worse(own: np.ndarray, other: np.ndarray) -> float | None:
    """Chance that the ratio of one strategy is at least that of another, by resampling days in pairs.

    Args:
        own: returns of UTC days, f64.
        other: of the other strategy on the same days.
    """
    if ratio_per_period(own) is None or ratio_per_period(other) is None:
        return None
    picks = np.random.default_rng(ab_test.SEED).integers(0, len(own), (ab_test.DRAWS, len(own)))
    both = np.stack([own, other])[:, picks]
    spread = both.std(axis=2, ddof=1)
    # a draw of one day alone has no ratio and says nothing
    ratios = np.divide(both.mean(axis=2), spread, out=np.full_like(spread, np.nan), where=spread > 0)
    known = np.isfinite(ratios).all(axis=0)
    return float((ratios[0] >= ratios[1])[known].mean()) if known.any() else None


def drawdown(equity: np.ndarray) -> np.ndarray:
    """How far equity (f64) is below its highest value so far, as a fraction of it: 0 or less."""
    highest = np.maximum.accumulate(equity)
    return equity / highest - 1


def share_interval(hits: int, count: int) -> tuple[float, float] | None:
    """Wilson's interval at 95 % of a share of independent cases (J. Am. Stat. Assoc. 22, 1927); None without cases."""
    if count == 0:
        return None
    z = _quantile((1 + CONFIDENCE) / 2)
    share = hits / count
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    width = z / (1 + z**2 / count) * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(centre - width, 0.0), min(centre + width, 1.0)


def _error(returns: np.ndarray, daily: float) -> float:
    """Standard error of the ratio per period."""
    off = returns - returns.mean()
    sd = sqrt(float((off**2).mean()))
    skewness, kurtosis = (float((off**k).mean()) / sd**k for k in (3, 4))
    # of very few returns the sample's moments may allow no variance at all: a normal one then
    variance = max(1 - skewness * daily + (kurtosis - 1) / 4 * daily**2, 0.0) or 1 + daily**2 / 2
    return sqrt(variance / (len(returns) - 1))


def _quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def _cdf(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(z))
