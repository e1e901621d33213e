"""Answers of the promoted models to requests: one row, or many.

Here: what a request and an answer hold, the checks of a request, and its way from bytes to bytes.
Not here: which models serve (`live.models`), the other routes (`live.model_server`).

A row is given with its features, or by its instrument: then it is the newest one of the online store. A row that is
stale, gapped or incomplete is withheld with the reason: there is no old answer and no zero.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from time import time_ns
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from live.models import Served, ServedModels, Speaker
from live.runner import NAMES
from ml.core.config import Config
from ml.core.errors import LobforgeError
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.core.time import SECOND
from ml.feature_store.latest import Row as StoredRow
from ml.feature_store.latest import newest
from ml.features.sets import WHOLE
from ml.features.tick.table import FEATURES
from ml.promotion.serving import MODEL_ERROR, NO_MODEL, Answer, Serving
from ml.tables.schemas import NullReason

MOST_ROWS = 1_000
LARGEST_TIME = 2**63 - 1
LARGEST = 3.4e38
"""Models see 32-bit floats."""
STALE = NullReason.STALE.name.lower()
NULL_FEATURE = "null_feature"
NO_ROW = "no_row"
OTHER_FEATURES = "other_features"
FAMILY = {feature.id: feature.family for feature in FEATURES}
CODES = {reason.name.lower(): reason for reason in NullReason}

Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """A row of features, or the instrument whose newest row is meant.

    `features` are named, or in the order of the champion's feature set; null where unknown. With them `instrument` and
    `ts` (ns UTC) say whose and when they are; without them `instrument` alone is given.
    """

    features: dict[str, Number | None] | list[Number | None] | None = None
    instrument: Name | None = None
    ts: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_TIME)] | None = None


class PredictRequest(Row, forbid_unknown_fields=True):
    """A row, and the experiment whose model answers."""

    experiment: Name = DEFAULT_EXPERIMENT


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Rows, and the experiment whose champion answers all of them."""

    rows: Annotated[list[Row], msgspec.Meta(min_length=1, max_length=MOST_ROWS)]
    experiment: Name = DEFAULT_EXPERIMENT


class Prediction(msgspec.Struct):
    """What a model says of a row, or why it says nothing (`withheld`).

    `probabilities` are of down, neutral, up, `horizon` seconds after `ts`. Times are ns UTC; `data_age_ms` is the time
    from `ts` to the answer, null for features without a time.
    """

    instrument: str | None
    ts: int | None
    data_age_ms: float | None
    valid_until: int | None
    direction: str | None
    probabilities: list[float] | None
    withheld: str | None


class PredictResponse(Prediction):
    """The prediction with the model that made it: `role` is champion, challenger or previous."""

    experiment: str
    model: str | None
    version: str | None
    role: str | None
    feature_set: str | None
    horizon: int | None


class BatchResponse(msgspec.Struct):
    """Predictions in the order of the rows, all by one model."""

    experiment: str
    model: str | None
    version: str | None
    role: str | None
    feature_set: str | None
    horizon: int | None
    predictions: list[Prediction]


class Refused(Exception):
    """A request that is understood and invalid; the text says what and what to do."""

    def __init__(self, detail: str, status: int = 422) -> None:
        super().__init__(detail)
        self.status = status


class Known(NamedTuple):
    """What is known of a row before a model is asked: its features by name or in order, or why there are none."""

    instrument: str | None
    ts: int | None
    features: Mapping[str, float | None] | Sequence[float | None] | None
    reasons: Mapping[str, str | None] | None
    withheld: str | None


class Predictor:
    """Answers requests with the models that serve.

    Args:
        root: whose online store is read.
        models: those that serve.
        max_age: seconds that the newest row of an instrument may be old; never more than the model's horizon.
    """

    def __init__(self, root: DataRoot, models: ServedModels, max_age: float) -> None:
        self.root = root
        self.models = models
        self.max_age = max_age

    def one(self, request: PredictRequest) -> PredictResponse:
        """The answer to a row.

        Raises:
            Refused: the experiment or the instrument is unknown, or the features are not those of the model.
        """
        return self._one(self._served(request.experiment), self._known(request))

    def of_row(self, experiment: str, row: StoredRow) -> PredictResponse:
        """The answer to a row of the online store; it is withheld where nothing was ever decided on a model."""
        served = self.models.of(experiment) or Served(experiment, Serving(None), None, None, (), 0)
        return self._one(served, _stored(row))

    def _one(self, served: Served, known: Known) -> PredictResponse:
        now = time_ns()
        if served.champion is None:
            return _response(served, None, _withheld(known, now, known.withheld or NO_MODEL))
        turns = self._in_turn(served, served.champion, known, now)
        answered = ((speaker, _answers(speaker, [asked])[0]) for speaker, asked in turns)
        speaker, answer = next(answered)
        if answer.reason == MODEL_ERROR:
            speaker, answer = next(answered, (speaker, answer))
        return _response(served, speaker, _prediction(known, now, answer))

    def many(self, request: BatchRequest) -> BatchResponse:
        """The answers to rows, by one model: the champion, or if that fails the model beside it.

        Raises:
            Refused: the experiment or an instrument is unknown, or features are not those of the model.
        """
        served = self._served(request.experiment)
        rows = [self._known(row, f"rows[{k}].") for k, row in enumerate(request.rows)]
        now = time_ns()
        speaker = served.champion
        if speaker is None:
            return _batch(served, None, [_withheld(known, now, known.withheld or NO_MODEL) for known in rows])
        answers = _answers(speaker, [self._asked(speaker, known, now, f"rows[{k}].") for k, known in enumerate(rows)])
        if served.beside is not None and any(one.reason == MODEL_ERROR for one in answers):
            asked = [self._asked_beside(served.beside, speaker, known, now) for known in rows]
            if None not in asked:
                speaker, answers = served.beside, _answers(served.beside, [one for one in asked if one is not None])
        found = [_prediction(known, now, answer) for known, answer in zip(rows, answers, strict=True)]
        return _batch(served, speaker, found)

    def _served(self, experiment: str) -> Served:
        served = self.models.of(experiment)
        if served is None:
            known = ", ".join(self.models.served)
            raise Refused(f"There are no models of an experiment {experiment!r}. Available: {known}.", 404)
        return served

    def _known(self, row: Row, place: str = "") -> Known:
        if row.features is not None:
            return Known(row.instrument, row.ts, row.features, None, None)
        if row.instrument is None:
            raise Refused(f"{place}features and {place}instrument are missing. Give one of them.")
        if row.ts is not None:
            raise Refused(f"{place}ts is given without {place}features. Leave it out: the newest row has its own time.")
        configuration: Config = self.models.configuration
        if row.instrument not in configuration.ids:
            known = ", ".join(configuration.ids) or "none"
            raise Refused(f"Instrument {row.instrument!r} is not listed in lobforge.toml. Listed: {known}.", 404)
        try:
            found = newest(self.root, row.instrument)
        except LobforgeError:  # never captured, or the file was torn by a power cut
            return Known(row.instrument, None, None, None, NO_ROW)
        return _stored(found)

    def _asked(self, speaker: Speaker, known: Known, now: int, place: str = "") -> list[float] | str:
        """The features of a row in the order of a model's set, or why there are none.

        Raises:
            Refused: there are others.
        """
        if known.withheld is not None or known.features is None:
            return known.withheld or NO_ROW
        columns = speaker.columns
        if known.reasons is None:
            values = _in_order(known.features, columns, speaker.feature_set, place)
            return NULL_FEATURE if None in values else values  # type: ignore[return-value]
        assert isinstance(known.features, Mapping)  # noqa: S101 - so the online store has them
        if known.ts is not None and now - known.ts > min(self.max_age, speaker.horizon) * SECOND:
            return STALE
        values = [known.features.get(name) for name in columns]  # the online store has no spoofing pressure
        if None not in values:
            return values  # type: ignore[return-value]
        absent = {known.reasons.get(FAMILY.get(name, "")) for name, v in zip(columns, values, strict=True) if v is None}
        return min((reason for reason in absent if reason), key=lambda reason: CODES[reason], default=NULL_FEATURE)

    def _asked_beside(self, beside: Speaker, champion: Speaker, known: Known, now: int) -> list[float] | str | None:
        """The same for the model beside the champion; None where the features that were given are too few for it."""
        features = known.features
        if features is None or known.reasons is not None:
            return self._asked(beside, known, now)
        if not isinstance(features, Mapping):
            if beside.feature_set == champion.feature_set:
                return self._asked(beside, known, now)
            features = dict(zip(champion.columns, features, strict=True))
        if not features.keys() >= set(beside.columns):
            return None
        return self._asked(beside, known._replace(features=features), now)

    def _in_turn(
        self, served: Served, champion: Speaker, known: Known, now: int
    ) -> list[tuple[Speaker, list[float] | str]]:
        """The models that may answer a row with what each is asked: first whom it is routed to, then who stands in."""
        found = [(champion, self._asked(champion, known, now))]
        if served.beside is None:
            return found
        asked = self._asked_beside(served.beside, champion, known, now)
        if asked is not None:
            ts = now if known.ts is None else known.ts
            routed = served.serving.routed(known.instrument or "", ts)
            found.insert(0 if routed == "beside" else 1, (served.beside, asked))
        return found


def _stored(row: StoredRow) -> Known:
    reason = None if row.feature_set_hash == WHOLE.hash else OTHER_FEATURES
    return Known(row.instrument, row.ts, row.values, row.reasons, reason)


def _in_order(
    given: Mapping[str, float | None] | Sequence[float | None], columns: Sequence[str], name: str, place: str
) -> list[float | None]:
    """Features that were given, in the order of a set."""
    if not isinstance(given, Mapping):
        if len(given) != len(columns):
            raise Refused(
                f"{place}features has {len(given)} values, but {name} has {len(columns)}. "
                f"Give all of them in order, {columns[0]} to {columns[-1]}; GET /api/ml/models lists them."
            )
        return list(given)
    try:
        values = [given[column] for column in columns]
    except KeyError:
        missing = [column for column in columns if column not in given]
        raise Refused(
            f"{place}features lacks {len(missing)} of the {len(columns)} features of {name}, first {missing[0]}. "
            "Give each, null where it is unknown."
        ) from None
    unknown = [column for column in given if column not in FAMILY] if len(given) != len(columns) else []
    if unknown:
        near = get_close_matches(unknown[0], FAMILY, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Refused(f"{place}features has {len(unknown)} unknown names, first {unknown[0]!r}.{hint}")
    return values


def _answers(speaker: Speaker, asked: Sequence[list[float] | str]) -> list[Answer]:
    """A model's answers; it is asked once for all rows that are known."""
    rows = [one for one in asked if not isinstance(one, str)]
    found = iter(speaker.seat.ask(np.array(rows, np.float64)) if rows else ())
    return [
        Answer(speaker.model, speaker.horizon, None, None, one, None) if isinstance(one, str) else next(found)
        for one in asked
    ]


def _prediction(known: Known, now: int, answer: Answer) -> Prediction:
    if answer.probabilities is None or answer.direction is None:
        return _withheld(known, now, answer.reason or NULL_FEATURE)
    ts = known.ts
    return Prediction(
        known.instrument,
        ts,
        _age(ts, now),
        None if ts is None else ts + answer.horizon * SECOND,
        NAMES[answer.direction],
        answer.probabilities.tolist(),
        None,
    )


def _withheld(known: Known, now: int, reason: str) -> Prediction:
    return Prediction(known.instrument, known.ts, _age(known.ts, now), None, None, None, reason)


def _age(ts: int | None, now: int) -> float | None:
    return None if ts is None else (now - ts) // 1_000 / 1_000


def _about(speaker: Speaker | None) -> tuple[str | None, str | None, str | None, str | None, int | None]:
    """Model, version, role, feature set and horizon of an answer."""
    if speaker is None:
        return None, None, None, None, None
    return speaker.model, speaker.version, speaker.role, speaker.feature_set, speaker.horizon


def _response(served: Served, speaker: Speaker | None, one: Prediction) -> PredictResponse:
    return PredictResponse(
        one.instrument,
        one.ts,
        one.data_age_ms,
        one.valid_until,
        one.direction,
        one.probabilities,
        one.withheld,
        served.name,
        *_about(speaker),
    )


def _batch(served: Served, speaker: Speaker | None, predictions: list[Prediction]) -> BatchResponse:
    return BatchResponse(served.name, *_about(speaker), predictions)
