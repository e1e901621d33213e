"""Cues: clusters whose score reaches the threshold of their instrument.

Here: from events to cues, the same for a whole day and for one message after the other.
Not here: clusters (`ml.layering.finder`), scores (`ml.layering.model`), thresholds (`ml.layering.calibration`).

A cue says that orders look like layering. It never says what their owner meant.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.core.instruments import Instrument
from ml.layering import layout
from ml.layering.calibration import SUPPRESSED_NS, Calibration
from ml.layering.confidence import final_score
from ml.layering.features import NAMES
from ml.layering.finder import Finder, Found
from ml.layering.layout import F64
from ml.layering.model import CueModel, load
from ml.layering.tables import FIRM, INDETERMINATE
from ml.market.book.layout import BookStream, TradeStream
from ml.market.book.sampler import NO_BOOKS, NO_TRADES

if TYPE_CHECKING:
    from ml.layering.adaptive import AdaptiveModel


@dataclass(frozen=True)
class Cue:
    """One cue.

    Args:
        id: of instrument, side and time of the decision; the same events give the same.
        side: of the pulled lots, `bid` or `ask`.
        start: birth of the first lot, ns UTC.
        end: exchange time at which it was decided, that of the message after the last pull, ns UTC.
        first_pull: first cancellation of a lot, ns UTC.
        last_pull: last cancellation of a lot, ns UTC.
        prices: of the lots, best first, in units of the instrument.
        volume: cancelled, in units of the instrument.
        score: of the detector, 0 to 1.
        final_score: the same with the answer of a model of its user, where there is one.
        low: the least score that the attribution allows.
        high: the largest score that the attribution allows.
        verdict: `cue`, or `indeterminate` where the attribution decides whether it is one.
        features: by name, see `ml.layering.features`.
        scale: S, in units of the instrument.
    """

    id: str
    side: str
    start: int
    end: int
    first_pull: int
    last_pull: int
    prices: tuple[int, ...]
    volume: int
    score: float
    final_score: float
    low: float
    high: float
    verdict: str
    features: dict[str, float]
    scale: int

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        f = self.features
        layers = f"{len(self.prices)} {self.side} layers" if len(self.prices) > 1 else f"one {self.side} order"
        text = (
            f"{layers} of {f['lot_size']:.1f} typical best sizes each, {f['depth_share']:.0%} of the side's depth "
            f"within 20 bps, placed within {f['placement']:.2f} s, standing for {f['rest']:.2f} s and pulled within "
            f"{f['pull_spread']:.2f} s with {f['filled']:.0%} filled"
        )
        if f["since_pushed"] < 5:
            text += f", {f['since_pushed']:.2f} s after a trade in the direction in which they pushed"
        if f["moved_share"] > 0:
            text += f"; {f['moved_share']:.0%} had been moved to other prices"
        if self.verdict == INDETERMINATE:
            text += "; whether the rest was cancelled or traded is not certain enough to decide"
        return text + "."


@dataclass(frozen=True)
class EarlyWarning:
    """Large lots that stand together; it does not say that they will be pulled.

    Args:
        ts: exchange time of the message that placed the newest of them, ns UTC.
        side: on which they stand, `bid` or `ask`.
        start: birth of the first lot, ns UTC.
        layers: prices.
        volume: in units of the instrument.
        score: the volume in typical best sizes, see `ml.layering.early`.
    """

    ts: int
    side: str
    start: int
    layers: int
    volume: int
    score: float


class Detector:
    """Events of one instrument into cues.

    Args:
        instrument: whose events.
        model: the scorer.
        calibration: from which score on.
        champion: the model that learned from votes, whose answer is in the final score; one that learned from cues of
            a higher threshold alone is not asked.
    """

    def __init__(
        self,
        instrument: Instrument,
        model: CueModel,
        calibration: Calibration,
        champion: "AdaptiveModel | None" = None,
    ) -> None:
        self.instrument = instrument
        self.model = model
        self.calibration = calibration
        covers = champion is not None and champion.card.collected_at <= calibration.threshold
        self.champion = champion if covers else None
        self.finder = Finder(instrument)
        self._last = {1: -SUPPRESSED_NS, -1: -SUPPRESSED_NS}
        self._warned = dict(self._last)

    def prepare(self) -> None:
        """Have what an event needs compiled and loaded."""
        self.model.scores(self.finder.run())

    def take(self, books: BookStream = NO_BOOKS, trades: TradeStream = NO_TRADES) -> list[Cue]:
        """The cues of messages and trades, by arrival; trades carry their own times."""
        return list(self.judge(self.finder.run(books, trades)))

    def judge(self, found: Found) -> Iterator[Cue]:
        """The cues among clusters, which come in the order of time."""
        if not len(found):
            return
        scores = self.model.scores(found)
        threshold = self.calibration.threshold
        for row in np.flatnonzero(scores[:, 2] >= threshold).tolist():
            ts, side = found.header[row, : layout.C_SIDE + 1].tolist()
            if ts - self._last[side] >= SUPPRESSED_NS:
                self._last[side] = ts
                cue = cue_of(self.instrument, found, row, scores[row], threshold)
                yield replace(cue, final_score=self._final(found, row, cue.score)) if self.champion else cue

    def warnings(self) -> Iterator[EarlyWarning]:
        """Clusters that stood, of the events since the last call: at most one per side in two seconds."""
        for one in self.finder.standing():
            if one.ts - self._warned[one.side] >= SUPPRESSED_NS:
                self._warned[one.side] = one.ts
                side = "bid" if one.side > 0 else "ask"
                yield EarlyWarning(one.ts, side, one.start, one.layers, one.volume, one.volume / one.scale)

    def _final(self, found: Found, row: int, score: float) -> float:
        """The score with the champion's answer, in an ordinary market: the last 24 hours are not in the events."""
        assert self.champion  # noqa: S101 - asked only where there is one
        probability = float(self.champion.probabilities(found.values[row : row + 1])[0])
        return final_score(score, probability, probability >= self.champion.card.threshold)


def shipped_detector(
    instrument: Instrument, calibration: Calibration | None = None, champion: "AdaptiveModel | None" = None
) -> Detector:
    """The detector with the shipped scorer.

    Args:
        instrument: whose events it takes.
        calibration: from which score on; None takes the simulator's threshold at the scorer's budget.
        champion: see `Detector`.
    """
    model = load()
    budget = model.card.budget
    known = calibration or Calibration(model.card.threshold_at(budget), budget, "simulator")
    return Detector(instrument, model, known, champion)


def cue_of(instrument: Instrument, found: Found, row: int, scores: F64, threshold: float) -> Cue:
    """The cue of one cluster; scores are least, as attributed and largest."""
    head = found.header[row]
    sign = int(head[layout.C_SIDE])
    side = "bid" if sign > 0 else "ask"
    low, score, high = scores.tolist()
    prices = sorted((int(p) for p in found.layers[row] if p), reverse=sign > 0)
    return Cue(
        id=f"{instrument.id}-{head[layout.C_TS]}-{side}",
        side=side,
        start=int(head[layout.C_START]),
        end=int(head[layout.C_TS]),
        first_pull=int(head[layout.C_FIRST_PULL]),
        last_pull=int(head[layout.C_LAST_PULL]),
        prices=tuple(prices),
        volume=int(head[layout.C_VOLUME]),
        score=score,
        final_score=score,
        low=low,
        high=high,
        verdict=FIRM if low >= threshold else INDETERMINATE,
        features=dict(zip(NAMES, found.values[row].tolist(), strict=True)),
        scale=int(head[layout.C_SCALE]),
    )


def shown(cue: Cue, instrument: Instrument) -> dict[str, Any]:
    """A cue as users read it: prices and sizes as numbers, times in ns UTC."""
    return {
        "id": cue.id,
        "side": cue.side,
        "start": cue.start,
        "end": cue.end,
        "first_pull": cue.first_pull,
        "last_pull": cue.last_pull,
        "prices": [instrument.price(price) for price in cue.prices],
        "volume": instrument.size(cue.volume),
        "score": cue.score,
        "final_score": cue.final_score,
        "verdict_band": {"low": cue.low, "high": cue.high, "verdict": cue.verdict},
        "reason": cue.reason,
        "features": cue.features,
    }


def shown_warning(warning: EarlyWarning, instrument: Instrument) -> dict[str, Any]:
    """An early warning as users read it: volume as a number, times in ns UTC."""
    return asdict(warning) | {"volume": instrument.size(warning.volume)}
