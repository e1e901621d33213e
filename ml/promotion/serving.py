"""Two models on one stream of rows: who serves a row, what the other one says of it, and what each answer took.

Here: the champion and the model beside it, scored on every row in the same process.
Not here: where rows come from (`live.runner`, `ml.promotion.replay`), what follows from the answers
(`ml.promotion.health`, `ml.promotion.life`).

A model that fails on a row never costs the row: the other one answers it under its own name, and if there is none the
row is withheld with the reason. Which model is asked first alternates, so that neither always finds warm caches.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import thread_time_ns
from typing import Literal, NamedTuple, Protocol

import numpy as np

from ml.core.errors import LobforgeError
from ml.features.sets import feature_set
from ml.learning.models.trained import ModelCard
from ml.promotion.life import Stage
from ml.promotion.routing import salt_of, to_challenger

LOG = logging.getLogger(__name__)
FAILURES = (LobforgeError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a model may raise; the row goes on without it."""
MODEL_ERROR = "model_error"
NO_ANSWER = "no_answer"
NO_MODEL = "no_model"
Clock = Callable[[], int]
Arm = Literal["champion", "beside"]


class Scoring(Protocol):
    """What a model must offer to serve; `ml.learning.models.trained.TrainedModel` does."""

    @property
    def id(self) -> str:
        """Hash of its content."""
        ...

    @property
    def card(self) -> ModelCard:
        """Which columns it needs, and at which horizon it answers."""
        ...

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3) of features (n, columns of its set)."""
        ...

    def directions(self, probabilities: np.ndarray) -> np.ndarray:
        """Classes i8 (n) of probabilities."""
        ...


class Answer(NamedTuple):
    """One model's answer to one row.

    `probabilities` f64 (3) and `direction` (0, 1, 2) are None where there is none, and then `reason` says why: a null
    reason of its input, `no_answer` or `model_error`. `processor_ns` is the time of the processor, None where the model
    was not asked. `horizon` is the model's, in seconds.
    """

    model_id: str
    horizon: int
    probabilities: np.ndarray | None
    direction: int | None
    reason: str | None
    processor_ns: int | None


class Scored(NamedTuple):
    """One row: who had to serve it, who did (None: withheld, with the reason), and both models' answers.

    `routed` is None where there is no model. A row that was served by another model than it was routed to fell back.
    `stage` is that of the model beside the champion.
    """

    ts: int
    routed: Arm | None
    served: Answer | None
    withheld: str | None
    champion: Answer | None
    beside: Answer | None
    stage: Stage


@dataclass(frozen=True)
class Seat:
    """A model with the positions of its columns among all features."""

    model: Scoring
    positions: Sequence[int]

    @classmethod
    def of(cls, model: Scoring) -> "Seat":
        """The seat of a model whose feature set is known here."""
        return cls(model, feature_set(model.card.feature_set).positions)

    def answer(self, values: np.ndarray, withheld: Callable[[Sequence[int]], str | None], clock: Clock) -> Answer:
        """The answer to a row of all features f64, of which `withheld` says whether some columns are known."""
        name, horizon = self.model.id, self.model.card.horizon
        reason = withheld(self.positions)
        if reason is not None:
            return Answer(name, horizon, None, None, reason, None)
        begun = clock()
        return self.ask(values[None, self.positions])[0]._replace(processor_ns=clock() - begun)

    def ask(self, features: np.ndarray) -> list[Answer]:
        """The answers to rows f64 (n, columns of its set) that are known, without the time that they took."""
        name, horizon = self.model.id, self.model.card.horizon
        try:
            p = np.asarray(self.model.probabilities(features), np.float64)
            classes = self.model.directions(p)
        except FAILURES:
            LOG.debug("Model %s failed on %d rows", name, len(features), exc_info=True)
            return [Answer(name, horizon, None, None, MODEL_ERROR, None)] * len(features)
        if p.shape != (len(features), 3):
            return [Answer(name, horizon, None, None, NO_ANSWER, None)] * len(features)
        given: list[bool] = np.isfinite(p).all(axis=1).tolist()  # type: ignore[assignment]
        return [
            Answer(name, horizon, p[k], int(classes[k]), None, None)
            if given[k]
            else Answer(name, horizon, None, None, NO_ANSWER, None)
            for k in range(len(p))
        ]


class Serving:
    """The champion of a name and the model beside it, on one stream of rows.

    Args:
        champion: who serves; None withholds every row.
        beside: who scores every row too: the challenger, or the previous champion of a watched one.
        stage: of the life of the model beside; only in `SPLIT` does it serve.
        salt: of the hash that splits the traffic.
        share: of the traffic that the challenger serves in `SPLIT`.
        clock: of processor time, ns.
    """

    def __init__(
        self,
        champion: Scoring | None,
        beside: Scoring | None = None,
        stage: Stage = Stage.ALONE,
        salt: str = "",
        share: float = 0.0,
        clock: Clock = thread_time_ns,
    ) -> None:
        self.champion = Seat.of(champion) if champion else None
        self.beside = Seat.of(beside) if beside else None
        self.stage = stage
        self.share = share
        self.salt = salt_of(salt, beside.id) if beside else salt
        self.clock = clock
        self._turn = False

    def score(
        self, instrument: str, ts: int, values: np.ndarray, withheld: Callable[[Sequence[int]], str | None]
    ) -> Scored:
        """Score one row of all features f64; `withheld` tells why some columns of it are unknown, None if they are."""
        if self.champion is None:
            return Scored(ts, None, None, NO_MODEL, None, None, self.stage)
        champion, beside = self._ask(values, withheld)
        routed = self.routed(instrument, ts)
        first, second = (champion, beside) if routed == "champion" or beside is None else (beside, champion)
        if first.direction is None and first.reason == MODEL_ERROR and second is not None:
            served = second if second.direction is not None else None
        else:
            served = first if first.direction is not None else None
        return Scored(ts, routed, served, None if served else first.reason, champion, beside, self.stage)

    def routed(self, instrument: str, ts: int) -> Arm:
        """Who has to serve the row of an instrument at a time (ns UTC)."""
        split = self.beside is not None and self.stage is Stage.SPLIT
        return "beside" if split and to_challenger(instrument, ts, self.salt, self.share) else "champion"

    def _ask(self, values: np.ndarray, withheld: Callable[[Sequence[int]], str | None]) -> tuple[Answer, Answer | None]:
        assert self.champion is not None  # noqa: S101 - asked for by `score` alone
        if self.beside is None:
            return self.champion.answer(values, withheld, self.clock), None
        self._turn = not self._turn
        if self._turn:
            champion = self.champion.answer(values, withheld, self.clock)
            return champion, self.beside.answer(values, withheld, self.clock)
        beside = self.beside.answer(values, withheld, self.clock)
        return self.champion.answer(values, withheld, self.clock), beside
