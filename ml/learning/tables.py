"""The tables between features and models: training features, the panel, predictions of the folds.

Here: their specs.
Not here: how they are made (`training_features`, `dataset`, `walk_forward`).
"""

from collections.abc import Sequence

import polars as pl

from ml.core.config import HORIZONS
from ml.features.tables import FEATURE_TABLE
from ml.labels.classes import DOWN, NEUTRAL, UP
from ml.learning.models import baselines
from ml.tables.rules import Rule
from ml.tables.schemas import PREDICTION, TS, label_columns
from ml.tables.spec import F64, I64, TEXT, Column, Partitioning, TableSpec

LEAST_CLASS = 0.05
INSTRUMENT = Column("instrument", TEXT, "", "Id of the instrument.")
_CLASS = "0 down, 1 neutral, 2 up"
_MOVEMENT = Column("movement", F64, "fraction", "Change of the mid price over the primary horizon.")
_LABEL_END = Column("label_end", I64, "ns UTC", "When the label is known.")
_DIRECTION = Column("direction", pl.Int8(), "", f"Class of the movement by the label spec: {_CLASS}.")


def _rare_class(frame: pl.DataFrame) -> int:
    """Classes that have less than 5 % of the rows; none where there are no rows."""
    shares = [(frame["direction"] == code).mean() or 0.0 for code in (DOWN, NEUTRAL, UP)]
    return sum(share < LEAST_CLASS for share in shares) if frame.height else 0  # type: ignore[operator]


def _training_columns(horizons: Sequence[int] = HORIZONS) -> tuple[Column, ...]:
    return (INSTRUMENT, *FEATURE_TABLE.columns, *(c for c in label_columns(horizons) if c.name != "ts"))


TRAINING_FEATURES = TableSpec(
    "training_features",
    "features and labels of one second side by side: the offline feature store",
    _training_columns(),
    sources=("features", "future_labels"),
    lineage={
        **{column.name: ("features", column.name) for column in FEATURE_TABLE.columns},
        **{column.name: ("future_labels", column.name) for column in label_columns() if column.name != "ts"},
    },
    by_horizon=_training_columns,
    rules=(
        Rule("has_rows", lambda frame: int(frame.is_empty()), False, "The partition has rows."),
        Rule("times_ascend", pl.col("ts").diff() <= 0, True, "Rows are sorted by time and each time stands once."),
    ),
)
DATASET_PANEL = TableSpec(
    "dataset_panel",
    "a row that may be trained or judged on, with its features and class",
    (
        INSTRUMENT,
        TS,
        Column("half_spread", F64, "fraction", "(ask - bid) / (ask + bid) at ts."),
        _MOVEMENT,
        Column("sigma", F64, "fraction", "Volatility of the mid price before ts, scaled to the primary horizon."),
        Column("label_start", I64, "ns UTC", "From when on the label depends on the mid price: ts."),
        _LABEL_END,
        _DIRECTION,
    ),
    Partitioning.WHOLE,
    sources=("training_features",),
    lineage={
        "instrument": ("training_features", "instrument"),
        "ts": ("training_features", "ts"),
        "half_spread": ("training_features", "half_spread"),
        "movement": ("training_features", f"movement_{HORIZONS[0]}s"),
        "sigma": ("training_features", f"sigma_{HORIZONS[0]}s"),
        "label_start": ("training_features", "ts"),
        "label_end": ("training_features", f"label_end_{HORIZONS[0]}s"),
    },
    is_open=True,
    rules=(Rule("classes_present", _rare_class, False, "Each class has at least 5 % of the rows."),),
)
FOLD_PREDICTIONS = TableSpec(
    "fold_predictions",
    "a row's probabilities in a fold, and the baselines' answers",
    (
        Column("fold", I64, "1", "Number of the fold, in order of time."),
        Column("part", TEXT, "", "train: the last training block; test: the rows after it; sealed: the newest."),
        INSTRUMENT,
        TS,
        _LABEL_END,
        _DIRECTION,
        _MOVEMENT,
        *(Column(f"p_{name}", F64, "1", f"Probability of {name}.") for name in ("down", "neutral", "up")),
        Column("predicted", pl.Int8(), "", f"Class with the highest probability over its prior: {_CLASS}."),
        *(Column(name, pl.Int8(), "", f"Answer of the baseline {name}; null in train.") for name in baselines.NAMES),
    ),
    Partitioning.WHOLE,
    sources=("dataset_panel",),
    lineage={
        "instrument": ("dataset_panel", "instrument"),
        "ts": ("dataset_panel", "label_start"),
        "label_end": ("dataset_panel", "label_end"),
        "direction": ("dataset_panel", "direction"),
        "movement": ("dataset_panel", "movement"),
    },
    is_open=True,
)
SHADOW_SCORES = TableSpec(
    "shadow_scores",
    "what the champion and the model beside it say of a row that neither was trained on",
    (
        INSTRUMENT,
        TS,
        _LABEL_END,
        Column("direction", pl.Int8(), "", f"Class of the movement by the champion's label spec: {_CLASS}."),
        _MOVEMENT,
        Column("champion", pl.Int8(), "", f"The champion's answer; null where a feature is unknown: {_CLASS}."),
        Column("challenger", pl.Int8(), "", f"The other model's answer; null where a feature is unknown: {_CLASS}."),
        *(
            Column(f"{model}_p_{name}", F64, "1", f"Probability of {name} by the {model}.")
            for model in ("champion", "challenger")
            for name in ("down", "neutral", "up")
        ),
    ),
    Partitioning.WHOLE,
    sources=("training_features",),
    lineage={
        "instrument": ("training_features", "instrument"),
        "ts": ("training_features", "ts"),
        "label_end": ("training_features", f"label_end_{HORIZONS[0]}s"),
        "movement": ("training_features", f"movement_{HORIZONS[0]}s"),
    },
)
SERVED_PREDICTIONS = TableSpec(
    "served_predictions",
    "one model's answer to one second as it was served, with its label",
    (
        *PREDICTION,
        Column("half_spread", F64, "fraction", "(ask - bid) / (ask + bid) at ts."),
        Column("movement", F64, "fraction", "Change of the mid price over the horizon; null where it is not known."),
        Column("sigma", F64, "fraction", "Volatility of the mid price before ts, scaled to the horizon."),
        Column("label_end", I64, "ns UTC", "When the movement is known."),
    ),
    sources=("prediction_log", "future_labels"),
    lineage={column.name: ("prediction_log", column.name) for column in PREDICTION},
)
SPECS = (TRAINING_FEATURES, DATASET_PANEL, FOLD_PREDICTIONS, SHADOW_SCORES, SERVED_PREDICTIONS)
