"""Plots: pictures that show the data, are small, and do not change when the data do not."""

import io

import numpy as np
import polars as pl
import pytest

from ml.core.config import HORIZONS
from ml.plotting import plots
from ml.tables.schemas import LEVELS
from tests.support.scenario import INSTRUMENT

DAY = 1_741_046_400 * 10**9
SECOND = 10**9


def samples(rows=1_000, valid=True):
    """A book that stands still: 20 levels per side, one unit apart, every size 5."""
    ladder = {
        f"{side}_{what}_{k}": (10_000 - k if side == "bid" else 10_000 + k) if what == "price" else 5
        for side in ("bid", "ask")
        for what in ("price", "size")
        for k in range(1, LEVELS + 1)
    }
    frame = pl.DataFrame({"ts": DAY + SECOND * np.arange(1, rows + 1)}).with_columns(
        *(pl.lit(value if valid else None, pl.Int64).alias(name) for name, value in ladder.items())
    )
    return frame.with_columns(valid=pl.lit(valid))


def minutes(known=True):
    """A day of candles whose price rises; the second half may be unknown."""
    half = pl.int_range(pl.len()) >= (1_440 if known else 720)
    frame = pl.DataFrame({"close": range(10_000, 11_440), "volume": 5})
    values = (pl.when(~half).then(name).alias(name) for name in frame.columns)
    return frame.with_columns(*values, reason=pl.when(half).then(pl.lit("silent")))


def scores(folds=3):
    names = ["train", "test", "majority", "last_direction", "logistic_imbalance"]
    return pl.DataFrame({"fold": range(folds)} | {name: [0.3 + k / 10] * folds for k, name in enumerate(names)})


def hours(*shares):
    """A day of instruments, each with the same share in every hour."""
    names = [f"sim.{k}" for k in range(len(shares)) for _ in range(24)]
    known = [share for share in shares for _ in range(24)]
    frame = {"date": "2025-03-04", "instrument": names, "hour": [*range(24)] * len(shares), "share": known}
    return pl.DataFrame(frame, schema_overrides={"instrument": pl.String, "share": pl.Float64})


def shares(value, features=12):
    """Two families of features, all with the same share of rows."""
    families = ["book" if k < features // 2 else "flow" for k in range(features)]
    frame = {"feature": [f"f{k}" for k in range(features)], "family": families, "share": [value] * features}
    return pl.DataFrame(frame, schema_overrides={"feature": pl.String, "family": pl.String, "share": pl.Float64})


def labels(moves):
    return pl.DataFrame(
        {f"movement_{h}s": moves for h in HORIZONS}, schema_overrides={f"movement_{h}s": pl.Float64 for h in HORIZONS}
    )


def pixels(png):
    """The picture's colours, f32 (height, width, 4)."""
    from matplotlib.image import imread

    return imread(io.BytesIO(png))


def distances(*distance):
    found = {
        "feature": [f"f{k}" for k in range(len(distance))],
        "distance": distance,
        "threshold": [0.2] * len(distance),
    }
    drifted = [d is not None and d > 0.2 for d in distance]
    return pl.DataFrame(
        found | {"drifted": drifted}, schema_overrides={"distance": pl.Float64(), "threshold": pl.Float64()}
    )


BINS = [(0.2, 0.25, 100), (0.8, 0.7, 10)]
PICTURES = {
    "depth": (lambda: plots.depth(samples(), INSTRUMENT), lambda: plots.depth(samples(valid=False), INSTRUMENT)),
    "known_hours": (lambda: plots.known_hours(hours(1, 0.5)), lambda: plots.known_hours(hours(1, 0))),
    "candles": (
        lambda: plots.candles(minutes(), INSTRUMENT),
        lambda: plots.candles(minutes(known=False), INSTRUMENT),
    ),
    "known_features": (lambda: plots.known_features(shares(1.0)), lambda: plots.known_features(shares(0.5))),
    "label_shares": (
        lambda: plots.label_shares(labels([1e-4, 2e-4, None])),
        lambda: plots.label_shares(labels([9e-4])),
    ),
    "distances": (lambda: plots.distances(distances(0.1, 0.4)), lambda: plots.distances(distances(0.1, 0.2))),
    "folds": (lambda: plots.folds(scores()), lambda: plots.folds(scores(5))),
    "reliability": (lambda: plots.reliability(BINS), lambda: plots.reliability(BINS[:1])),
    "trials": (lambda: plots.trials([1.1, 1.0, 1.05]), lambda: plots.trials([1.1, 1.2, 1.05])),
    "gains": (lambda: plots.gains({"a": 0.9, "b": 0.1}), lambda: plots.gains({"a": 0.1, "b": 0.9})),
    "fates": (lambda: plots.fates({"kept": 5, "no_time": 1}), lambda: plots.fates({"kept": 1, "no_time": 5})),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_depends_on_the_data_alone(name):
    """The same data give the same bytes, other data another picture; small enough to be kept with every run."""
    one, other = PICTURES[name]
    assert one() == one()
    assert len(one()) < 100_000
    assert pixels(one()).std() > 0
    assert not np.array_equal(pixels(one()), pixels(other()))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.depth(samples().clear(), INSTRUMENT),
        lambda: plots.depth(samples(valid=False), INSTRUMENT),
        lambda: plots.depth(samples(rows=1), INSTRUMENT),
        lambda: plots.known_hours(hours(0.5).clear()),
        lambda: plots.candles(minutes().with_columns(reason=pl.lit("silent"), close=None, volume=None), INSTRUMENT),
        lambda: plots.known_features(shares(1.0, 0)),
        lambda: plots.label_shares(labels([])),
        lambda: plots.label_shares(labels([None])),
        lambda: plots.distances(distances()),
        lambda: plots.distances(distances(None)),
        lambda: plots.folds(scores(0)),
        lambda: plots.reliability([]),
        lambda: plots.trials([]),
        lambda: plots.gains({}),
        lambda: plots.fates({}),
    ],
    ids=[
        "no sample",
        "never known",
        "one sample",
        "no hour",
        "no candle",
        "no share",
        "no label",
        "null labels",
        "no baseline",
        "nothing compared",
        "no fold",
        "no bin",
        "no trial",
        "no split",
        "no row",
    ],
)
def test_without_data_the_picture_is_empty(draw):
    """A first run on a short capture still ends with its pictures."""
    assert pixels(draw()).ndim == 3
