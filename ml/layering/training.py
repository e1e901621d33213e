"""The shipped scorer: trained on the simulated market alone, the same from any run.

Here: what is planted for training and for tests, examples, trees and thresholds.
Not here: the market and episodes (`ml.simulation`), rates on test streams (`ml.layering.benchmark`).

Training and test share no seed and no interval of any parameter of an episode.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.core.errors import DatasetError
from ml.layering import layout
from ml.layering.calibration import threshold_for
from ml.layering.features import NAMES
from ml.layering.finder import Finder, Flow, Found, joined
from ml.layering.layout import F64
from ml.layering.matching import NONE, labels
from ml.layering.model import CueCard, CueModel, fit
from ml.market.book.layout import I64
from ml.simulation import overlay
from ml.simulation.episodes import HARD_NEGATIVES, LAYERING, M_GRID, Ranges, Tape

TRAIN_RANGES = Ranges(
    m=((0.55, 0.74), (0.76, 0.99), (1.01, 1.49), (1.51, 1.99), (2.01, 2.99), (3.01, 3.99), (4.01, 5.0)),
    layers=((3, 3), (5, 5), (7, 7)),
    first_bps=((0.8, 2.5), (4.0, 7.0)),
    step_bps=((0.15, 0.5), (0.9, 1.4)),
    placing_s=((0.05, 0.8), (1.6, 2.8)),
    rest_s=((0.8, 3.0), (7.0, 14.0)),
    pull_s=((0.0, 0.08), (0.2, 0.4)),
    fill_before_s=((0.02, 0.2), (0.5, 1.0)),
)
TEST_RANGES = Ranges(
    m=tuple((m, m) for m in M_GRID),
    layers=((4, 4), (6, 6)),
    first_bps=((2.5, 4.0),),
    step_bps=((0.5, 0.9),),
    placing_s=((0.8, 1.6),),
    rest_s=((3.0, 7.0),),
    pull_s=((0.08, 0.2),),
    fill_before_s=((0.2, 0.5),),
)
TRAIN_SEEDS = range(1_000, 50_000)
TEST_SEEDS = range(50_000, 100_000)
BUDGETS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
BUDGET = 2.0
PER_HOUR = 120
"""Episodes that are planted in an hour of market for training and for recall."""


Market = Callable[[int, int], Flow]
"""Makes a market from a seed and a length in seconds."""


class Examples(NamedTuple):
    """Clusters of planted markets: feature rows, labels 1 or 0, and the variant that each is of (`` for none)."""

    values: F64
    labels: I64
    variant: np.ndarray

    def without(self, variants: Iterable[str]) -> "Examples":
        """Those that are of none of some variants."""
        keep = ~np.isin(self.variant, list(variants))
        return Examples(self.values[keep], self.labels[keep], self.variant[keep])


def found_in(flow: Flow) -> tuple[Found, float]:
    """The clusters of a market, and the hours over which they could be found."""
    finder = Finder(flow.instrument)
    found = finder.run(flow.books, flow.trades)
    return found, finder.hours


def planted(
    flow: Flow, tape: Tape, seed: int, variants: Sequence[str], count: int, ranges: Ranges
) -> tuple[Flow, pl.DataFrame]:
    """A market with episodes, and their truth; `tape` is that of the market."""
    episodes = overlay.draw_episodes(tape, seed, variants, count, ranges)
    books, trades = overlay.plant(flow.books, flow.trades, episodes)
    return Flow(flow.instrument, books, trades), overlay.truth(episodes, flow.instrument.id, seed)


def examples(market: Market, seeds: Sequence[int], seconds: int, tell: Callable[[str], None]) -> Examples:
    """Clusters of markets planted with every variant and hard negative, one at a time."""
    parts = list[Examples]()
    variants = [*LAYERING, *HARD_NEGATIVES]
    for number, seed in enumerate(seeds):
        if seed not in TRAIN_SEEDS:
            raise ValueError(f"seed {seed} is not one for training")
        flow = market(seed, seconds)
        tape = overlay.tape(flow.books, flow.trades, flow.instrument)
        for k, variant in enumerate(variants):
            given, truth = planted(flow, tape, seed * 100 + k, [variant], PER_HOUR * seconds // 3600, TRAIN_RANGES)
            found, _ = found_in(given)
            label, episode = labels(found, truth)
            known = label != NONE
            # the market's own clusters are the same in every copy of it: they count once
            known &= (episode != NONE) | (k == 0)
            of = np.where(episode != NONE, variant, "")
            parts.append(Examples(found.values[known], label[known], of[known]))
        tell(f"market {number + 1} of {len(seeds)}: {sum(len(part.labels) for part in parts):,} clusters")
    return Examples._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def train(given: Examples) -> object:
    """Trees for examples; planted and other clusters weigh the same in sum.

    Raises:
        DatasetError: there is nothing planted, or nothing else, among them.
    """
    positives = int(given.labels.sum())
    if positives == 0 or positives == len(given.labels):
        raise DatasetError(
            f"{len(given.labels)} clusters hold {positives} planted ones: both kinds are needed. Simulate more hours."
        )
    weights = np.where(
        given.labels == 1, len(given.labels) / positives / 2, len(given.labels) / (len(given.labels) - positives) / 2
    )
    return fit(given.values, given.labels, weights)


@dataclass(frozen=True)
class Quiet:
    """Clusters of unplanted markets: time (made to ascend over all of them), side, features and hours."""

    ts: I64
    side: I64
    found: Found
    hours: float


def quiet(market: Market, seeds: Sequence[int], seconds: int, tell: Callable[[str], None]) -> Quiet:
    """Clusters of unplanted markets, one after the other."""
    parts = list[Found]()
    times = list[I64]()
    hours = 0.0
    for number, seed in enumerate(seeds):
        found, watched = found_in(market(seed, seconds))
        hours += watched
        parts.append(found)
        times.append(found.header[:, layout.C_TS] + number * 10**15)
        tell(f"quiet market {number + 1} of {len(seeds)}: {sum(map(len, parts)):,} clusters in {hours:.1f} h")
    found = joined(parts)
    return Quiet(np.concatenate(times), found.header[:, layout.C_SIDE], found, hours)


def thresholds(booster: object, flow: Quiet) -> tuple[tuple[float, float], ...]:
    """The threshold for each budget that the hours of unplanted market support."""
    scores = CueModel(booster, EMPTY).predict(flow.found.values)
    return tuple((budget, threshold_for(flow.ts, flow.side, scores, int(budget * flow.hours))) for budget in BUDGETS)


EMPTY = CueCard(NAMES, ((BUDGET, 0.5),), BUDGET, 0.0, 0, 0, "")


def shipped(
    market: Market, seeds: Sequence[int], quiet_seeds: Sequence[int], seconds: int, tell: Callable[[str], None]
) -> CueModel:
    """The scorer that ships: all variants, thresholds from markets of other seeds."""
    if set(seeds) & set(quiet_seeds):
        raise ValueError("markets of training and of thresholds share seeds")
    given = examples(market, seeds, seconds, tell)
    booster = train(given)
    flow = quiet(market, quiet_seeds, seconds, tell)
    card = CueCard(
        features=NAMES,
        thresholds=thresholds(booster, flow),
        budget=BUDGET,
        hours=round(flow.hours, 3),
        rows=len(given.labels),
        positives=int(given.labels.sum()),
        trained_on=f"simulated market, {len(seeds)} x {seconds} s, every variant planted",
    )
    return CueModel(booster, card)
