"""The model that learns from labelled cues: what reviewers accept, on top of the detector's score.

Here: rows to learn from, training with calibration and a threshold, the files with their card.
Not here: the kinds of models (`ml.layering.families`), predictions of cues it had not seen
(`ml.layering.walk_forward`), whether it may serve (`ml.layering.gates`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from ml.core.errors import DatasetError, ModelRefused
from ml.core.time import MINUTE
from ml.core.versions import LAYERING, code_version
from ml.layering.confidence import DEFAULT, WEIGHTS, needed_each
from ml.layering.families import FAMILIES, Boosted, Forest
from ml.layering.features import NAMES
from ml.layering.labels import FOR_TESTS
from ml.layering.layout import F64
from ml.learning import splits
from ml.market.book.layout import I64
from ml.storage import model_files

CARD = "card.json"
REMEDY = "Train it again."
LEAST_LABELS = 100
LEAST_OF_A_KIND = 5
EMBARGO_NS = MINUTE
"""Between the end of the last episode of training and the first one of a test."""
FIRST_SHARE = 0.4
N_SPLITS = 4
INNER_SPLITS = 3
CALIBRATED_FROM = 20
"""Predictions inside the training rows, without which probabilities stay as they are."""
LEARNED_FROM = 100
"""The same for a threshold of its own; with fewer it is the predecessor's."""
EDGE = 1e-4


class CueRows(NamedTuple):
    """Labelled cues in the order of time.

    `values` f64 (n, features), `labels` i64 (n), and per row the first and the last time (ns) of its episode,
    whether a test may hold it (what a price says is no truth), and volatility and liquidity of the market around it,
    f64, NaN where unknown.
    """

    values: F64
    labels: I64
    start: I64
    end: I64
    for_tests: np.ndarray
    volatility: F64
    liquidity: F64

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Self:
        """Those of labelled rows of `layering_dataset`; `end` reaches as far as any label of the episode looks.

        Raises:
            DatasetError: rows were collected at different thresholds.
        """
        thresholds = rows["threshold"].unique().sort().to_list()
        if len(thresholds) > 1:
            raise DatasetError(
                f"The labelled cues were collected at {len(thresholds)} thresholds ({thresholds[0]:.4f} to "
                f"{thresholds[-1]:.4f}): what a model learns of some does not hold for the others. Materialize "
                "layering_cues of all days with the budget that lobforge.toml names now."
            )
        spans = rows.select(
            pl.col("start").min().over("episode"),
            end=pl.max_horizontal("ts", "label_end").max().over("episode"),
        )
        return cls(
            rows.select(NAMES).to_numpy().astype(np.float64),
            rows["label"].to_numpy().astype(np.int64),
            spans["start"].to_numpy(),
            spans["end"].to_numpy(),
            rows["tier"].is_in(FOR_TESTS).to_numpy(),
            *(
                rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
                for name in ("volatility_24h", "liquidity")
            ),
        )

    def folds(self, first_share: float = FIRST_SHARE, n_splits: int = N_SPLITS) -> list[splits.Fold]:
        """Purged walk-forward folds that split no episode, those whose training rows hold both kinds.

        A test holds no row whose label is that of a price.
        """
        try:
            found = splits.walk_forward(self.start, self.end, first_share, n_splits, EMBARGO_NS)
        except DatasetError:  # so few rows that a block is empty
            return []
        kept = [splits.Fold(one.number, one.train, one.test[self.for_tests[one.test]]) for one in found]
        return [one for one in kept if one.test.size and 0 < self.labels[one.train].sum() < one.train.size]

    def at(self, rows: I64) -> Self:
        """Some of them."""
        return self._replace(**{name: getattr(self, name)[rows] for name in self._fields})


def labelled(dataset: pl.DataFrame, weak: bool = False) -> pl.DataFrame:
    """The rows of a data set that may be learned from: those labelled by people or truth, weak ones if wanted."""
    tiers = [*FOR_TESTS, *(["weak"] if weak else [])]
    return dataset.filter(pl.col("label").is_not_null(), pl.col("tier").is_in(tiers))


def missing(rows: pl.DataFrame) -> str:
    """What labelled rows lack for a model, in a sentence; empty if they lack nothing."""
    trusted = rows.filter(pl.col("tier").is_in(FOR_TESTS))
    true = int(trusted["label"].sum())
    false = trusted.height - true
    lacked = lacking(true, false)
    if not lacked:
        return ""
    return (
        f"{trusted.height} cues are labelled by people or truth files, {true} as layering and {false} as not: "
        f"{', '.join(lacked)} are needed. Vote with `lobforge layering label` or `lobforge layering import`."
    )


def lacking(true: int, false: int) -> list[str]:
    """What so many cues labelled as layering and as not lack for a model; empty if nothing."""
    counts = (
        (true + false, LEAST_LABELS, "labels"),
        (true, LEAST_OF_A_KIND, "cues that are layering"),
        (false, LEAST_OF_A_KIND, "cues that are not"),
    )
    return [f"{least - have} more {what}" for have, least, what in counts if have < least]


class Calibrated(NamedTuple):
    """A trained model with what maps its output to a probability, sigmoid(slope x logit + offset), and a threshold.

    `weight` is how much of what the market adds to the threshold counts.
    """

    family: str
    fitted: Forest | Boosted
    slope: float
    offset: float
    threshold: float
    is_learned: bool
    weight: float

    def probabilities(self, values: F64) -> F64:
        """Probabilities f64 (n) of feature rows f64 (n, features)."""
        return calibrate(self.fitted.predict(values), self.slope, self.offset)


def calibrate(raw: F64, slope: float, offset: float) -> F64:
    """Probabilities of a model's outputs f64 (n)."""
    return 1 / (1 + np.exp(-(slope * _logit(raw) + offset)))


def fit(rows: CueRows) -> dict[str, Calibrated]:
    """Every kind of model trained on rows, the one that did best inside them first.

    Calibration, threshold and the order follow from purged walk-forward predictions inside the rows.
    """
    folds = rows.folds(n_splits=INNER_SPLITS)
    at = np.concatenate([fold.test for fold in folds]) if folds else np.zeros(0, np.int64)
    found = dict[str, tuple[float, Calibrated]]()
    for name, family in FAMILIES.items():
        seen = [
            family.fit(rows.values[one.train], rows.labels[one.train]).predict(rows.values[one.test]) for one in folds
        ]
        raw = np.concatenate(seen) if seen else np.zeros(0)
        slope, offset = _platt(raw, rows.labels[at])
        p = calibrate(raw, slope, offset)
        threshold = best_threshold(rows.labels[at], p)
        weight = best_weight(rows.at(at), p, threshold) if threshold is not None else WEIGHTS[0]
        trained = family.fit(rows.values, rows.labels)
        made = Calibrated(name, trained, slope, offset, threshold or DEFAULT, threshold is not None, weight)
        found[name] = (_log_loss(rows.labels[at], p), made)
    return {name: found[name][1] for name in sorted(found, key=lambda name: found[name][0])}


def best_threshold(labels: I64, p: F64) -> float | None:
    """The threshold with the best F1, None where too few labels are known to tell."""
    if len(labels) < LEARNED_FROM or min(labels.sum(), len(labels) - labels.sum()) < LEAST_OF_A_KIND:
        return None
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(labels, p)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[int(np.argmax(f1[:-1]))])


def best_weight(rows: CueRows, p: F64, threshold: float) -> float:
    """How much of what the market adds to a threshold counts: that with the best F1, the predecessor's on a tie.

    Rows without a known market say nothing; with too few others the predecessor's stays.
    """
    known = np.flatnonzero(~np.isnan(rows.volatility) & ~np.isnan(rows.liquidity))
    labels = rows.labels[known]
    if len(known) < LEARNED_FROM or min(labels.sum(), len(labels) - labels.sum()) < LEAST_OF_A_KIND:
        return WEIGHTS[0]
    from sklearn.metrics import f1_score

    market = rows.volatility[known].tolist(), rows.liquidity[known].tolist()
    scores = [f1_score(labels, p[known] >= needed_each(threshold, *market, weight)) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmax(scores))]


@dataclass(frozen=True)
class AdaptiveCard:
    """What must be known to use a model; stored beside its trees.

    Args:
        family: of `ml.layering.families`.
        features: columns in order.
        slope: of the logit of its output, for a probability.
        offset: the same.
        threshold: probability from which a cue counts as layering, in an ordinary market.
        is_learned: whether the threshold was learned; else it is the predecessor's.
        weight: of what the market adds to the threshold, see `ml.layering.confidence`.
        collected_at: score of the detector from which the cues were collected that it learned from.
        trained_until: end of the last episode that it saw, ns UTC.
        rows: labelled cues.
        positives: how many of these are layering.
        importance: each feature's share.
        dataset_id: of what it was trained on.
        code_version: of the cues.
    """

    family: str
    features: tuple[str, ...]
    slope: float
    offset: float
    threshold: float
    is_learned: bool
    weight: float
    collected_at: float
    trained_until: int
    rows: int
    positives: int
    importance: dict[str, float]
    dataset_id: str
    code_version: str


class AdaptiveModel:
    """A trained model as it serves: read from the bytes of its files."""

    def __init__(self, content: bytes, card: AdaptiveCard) -> None:
        self.content = content
        self.card = card
        self._predict = FAMILIES[card.family].load(content)

    @classmethod
    def of(cls, trained: Calibrated, rows: pl.DataFrame, dataset_id: str) -> Self:
        """That of a training on labelled rows of `layering_dataset`."""
        card = AdaptiveCard(
            family=trained.family,
            features=NAMES,
            slope=trained.slope,
            offset=trained.offset,
            threshold=trained.threshold,
            is_learned=trained.is_learned,
            weight=trained.weight,
            collected_at=float(rows["threshold"].min()),  # type: ignore[arg-type]
            trained_until=int(CueRows.of(rows).end.max()),
            rows=rows.height,
            positives=int(rows["label"].sum()),
            importance=trained.fitted.importance,
            dataset_id=dataset_id,
            code_version=code_version(LAYERING),
        )
        return cls(trained.fitted.save(), card)

    def probabilities(self, values: F64) -> F64:
        """Probabilities f64 (n) of layering, of feature rows f64 (n, features)."""
        return calibrate(self._predict(values), self.card.slope, self.card.offset)

    @cached_property
    def id(self) -> str:
        """Hex sha256, 16 digits, over all files."""
        return model_files.identity(self._files)

    def save(self, folder: Path) -> None:
        """Write the model, card.json and the manifest of their hashes."""
        model_files.save(folder, self._files)

    @cached_property
    def _files(self) -> Mapping[str, bytes]:
        card = json.dumps(asdict(self.card), sort_keys=True, indent=1).encode()
        return {FAMILIES[self.card.family].file: self.content, CARD: card}


def load(folder: Path) -> AdaptiveModel:
    """Read a model; what is read is data, never code.

    Raises:
        ModelRefused: a file is missing or is not the one that was saved.
    """
    files = model_files.load(folder, REMEDY)
    try:
        document = json.loads(files[CARD])
        card = AdaptiveCard(**document | {"features": tuple(document["features"])})
        return AdaptiveModel(files[FAMILIES[card.family].file], card)
    except (ValueError, KeyError, TypeError) as error:
        raise model_files.incomplete(folder, error, REMEDY) from error


def fits(model: AdaptiveModel) -> None:
    """Refuse a model whose features or cues are not those of the running code.

    Raises:
        ModelRefused: says what differs.
    """
    running = code_version(LAYERING)
    if model.card.features != NAMES or model.card.code_version != running:
        raise ModelRefused(
            f"The model was trained on cues of {model.card.code_version} with {len(model.card.features)} features, but "
            f"{running} with {len(NAMES)} is running. Materialize layering_cues, then train again."
        )


def smoke_test(model: AdaptiveModel) -> None:
    """Have a model answer for rows of zeros and of ones.

    Raises:
        ModelRefused: what it gives are no probabilities.
    """
    p = model.probabilities(np.repeat([[0.0], [1.0]], len(NAMES), axis=1))
    if p.shape != (2,) or not ((p >= 0) & (p <= 1)).all():
        raise ModelRefused(f"Model {model.id} gives no probabilities, but {p.tolist()}. Choose another version.")


def _platt(raw: F64, labels: I64) -> tuple[float, float]:
    """Slope and offset of a logistic regression on the logit of outputs; 1 and 0 where too few are known."""
    if len(raw) < CALIBRATED_FROM or not 0 < labels.sum() < len(labels):
        return 1.0, 0.0
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(_logit(raw)[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _log_loss(labels: I64, p: F64) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(labels, np.clip(p, EDGE, 1 - EDGE), labels=[0, 1])) if len(labels) else 0.0


def _logit(p: F64) -> F64:
    kept = np.clip(p, EDGE, 1 - EDGE)
    return np.log(kept / (1 - kept))
