"""The shipped scorer: trained on the simulated market alone, the same from any run.

Here: examples, trees and thresholds.
Not here: streams of training and of tests (`ml.simulation.streams`), rates on test streams (`ml.layering.benchmark`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ml.core import versions
from ml.core.errors import DatasetError
from ml.layering import layout
from ml.layering.calibration import threshold_for
from ml.layering.features import NAMES
from ml.layering.finder import Finder, Flow, Found, joined
from ml.layering.layout import F64
from ml.layering.matching import NONE, labels
from ml.layering.model import CueCard, CueModel, fit
from ml.market.book.layout import I64
from ml.simulation.episodes import HARD_NEGATIVES, LAYERING
from ml.simulation.streams import TRAIN, Family, planted, unplanted

BUDGETS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
BUDGET = 2.0
PER_HOUR = 200
"""Episodes that are planted in an hour of a test market, of all variants in turn."""
LEARNED_PER_HOUR = 400
"""The same of a training market."""
LOOK_ALIKES_WEIGH = 0.3
"""Weight of clusters of hard negatives: they are as frequent in training as layering is, but rare in a market."""
KEPT_OTHERS = 4
"""One in so many clusters that nobody planted is learned from, and weighs as much."""
REACTIONS = (0.0, 0.3)
"""How strongly markets react to displayed orders, in turn: cues must not need it."""
FEED_RESET = "feed_reset"
VARIANTS = tuple(name for name in (*LAYERING, *HARD_NEGATIVES) if name != FEED_RESET)
"""All but the reset of the feed, after which S is unknown for a minute: it would hide the episodes around it."""
Tell = Callable[[str], None]


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


def examples(numbers: Sequence[int], seconds: int, tell: Tell) -> Examples:
    """Clusters of training streams with episodes of every variant, by the streams' numbers."""
    parts = list[Examples]()
    for number in numbers:
        reaction = REACTIONS[number % len(REACTIONS)]
        stream = planted(TRAIN, number, VARIANTS, LEARNED_PER_HOUR * seconds // 3600, seconds, reaction)
        found, _ = found_in(Flow(stream.instrument, stream.books, stream.trades))
        label, episode = labels(found, stream.truth)
        known = label != NONE
        names = np.array(["", *stream.truth["variant"].to_list()])
        parts.append(Examples(found.values[known], label[known], names[episode[known] + 1]))
        tell(f"planted stream {number}: {len(parts[-1].labels):,} clusters, {parts[-1].labels.sum():,} planted")
    return Examples._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def train(given: Examples) -> Any:
    """Trees for examples.

    Raises:
        DatasetError: there is nothing planted, or nothing else, among them.
    """
    positives = int(given.labels.sum())
    if positives == 0 or positives == len(given.labels):
        raise DatasetError(
            f"{len(given.labels)} clusters hold {positives} planted ones: both kinds are needed. Simulate more hours."
        )
    others = given.variant == ""
    weights = np.where(others, float(KEPT_OTHERS), 1.0)
    weights[np.isin(given.variant, tuple(HARD_NEGATIVES))] = LOOK_ALIKES_WEIGH
    keep = ~others | (np.random.default_rng(0).random(len(others)) < 1 / KEPT_OTHERS)
    return fit(given.values[keep], given.labels[keep], weights[keep])


@dataclass(frozen=True)
class Quiet:
    """Clusters of unplanted markets: time (made to ascend over all of them), side, features and hours."""

    ts: I64
    side: I64
    found: Found
    hours: float


def quiet(family: Family, numbers: Sequence[int], seconds: int, tell: Tell) -> Quiet:
    """Clusters of unplanted streams of a family, one after the other."""
    parts = list[Found]()
    times = list[I64]()
    hours = 0.0
    for number in numbers:
        stream = unplanted(family, number, seconds, REACTIONS[number % len(REACTIONS)])
        found, watched = found_in(Flow(stream.instrument, stream.books, stream.trades))
        hours += watched
        parts.append(found)
        times.append(found.header[:, layout.C_TS] + number * 10**15)
        tell(f"unplanted stream {number}: {sum(map(len, parts)):,} clusters in {hours:.1f} h")
    found = joined(parts)
    return Quiet(np.concatenate(times), found.header[:, layout.C_SIDE], found, hours)


def thresholds(model: CueModel, flow: Quiet) -> tuple[tuple[float, float], ...]:
    """The threshold for each budget that the hours of unplanted market support."""
    scores = model.predict(flow.found.values)
    return tuple((budget, threshold_for(flow.ts, flow.side, scores, int(budget * flow.hours))) for budget in BUDGETS)


EMPTY = CueCard(NAMES, ((BUDGET, 0.5),), BUDGET, 0.0, 0, 0, "", versions.code_version(versions.LAYERING))


def shipped(streams: int, quiet_streams: int, seconds: int, tell: Tell) -> CueModel:
    """The scorer that ships: all variants, thresholds from unplanted streams.

    Args:
        streams: with episodes.
        quiet_streams: without.
        seconds: length of each.
        tell: is told how far it is.
    """
    given = examples(range(streams), seconds, tell)
    booster = train(given)
    flow = quiet(TRAIN, range(quiet_streams), seconds, tell)
    card = CueCard(
        features=NAMES,
        thresholds=thresholds(CueModel.of(booster, EMPTY), flow),
        budget=BUDGET,
        hours=round(flow.hours, 3),
        rows=len(given.labels),
        positives=int(given.labels.sum()),
        trained_on=f"simulated market, family train, {streams} x {seconds} s with every variant planted",
        code_version=versions.code_version(versions.LAYERING),
    )
    return CueModel.of(booster, card)
