"""Models with and without skill, and stored rows on which they are tried: what tests of a model's life play."""

from dataclasses import asdict, replace
from time import time_ns

import numpy as np
import polars as pl

from ml.core.time import HOUR, SECOND
from ml.features.sets import BASE, WHOLE
from ml.features.tick.table import FAMILIES
from ml.labels.spec import LabelSpec
from ml.learning.experiment import DEFAULT
from ml.learning.models.trained import ModelCard, TrainedModel
from ml.learning.walk_forward import trainer
from ml.promotion.registry import Registry
from ml.simulation.instrument import INSTRUMENT
from tests.support import panels

START = panels.START_NS // HOUR * HOUR
SPEC = LabelSpec(10, 0.0, 0.6, 0.45, 100, START)


def trained(skill, seed=2):
    """A model of the default experiment, trained before the stored rows on one telling feature."""
    rows = panels.rows(4_000, seed=seed, skill=skill)
    rows = replace(rows, start=rows.start - 8_000 * SECOND, end=rows.end - 8_000 * SECOND)
    fitted = trainer("lightgbm", panels.PARAMS | {"rounds": 20}, 1)(rows, np.arange(4_000))
    names = tuple(BASE.columns)
    card = (DEFAULT.name, "lightgbm", {}, names, 10, BASE.name, BASE.hash, BASE.code_version, asdict(SPEC))
    return TrainedModel(fitted, ModelCard(*card, rows.hash, int(rows.end.max()), 4_000))


def stored(hours, spacing=1, skill=0.6, turns_at=None, seed=3):
    """Stored rows whose movement the telling feature tells; from `turns_at` hours on it tells the opposite."""
    rng = np.random.default_rng(seed)
    n = hours * 3600 // spacing
    each = max(10 // spacing, 1)
    signal, noise = (np.repeat(rng.normal(size=-(-n // each)), each)[:n] for _ in range(2))
    ts = START + np.arange(n) * spacing * SECOND
    turned = np.where(ts < START + (hours if turns_at is None else turns_at) * HOUR, 1.0, -1.0)
    values = {name: rng.normal(size=n) for name in WHOLE.columns} | {panels.TELLING: signal}
    reasons = {f"null_reason_{family}": np.zeros(n, np.uint8) for family in FAMILIES}
    given = {"instrument": [INSTRUMENT.id] * n, "ts": ts, **values, **reasons, "half_spread": np.full(n, 1e-6)}
    movement = 1e-4 * (skill * turned * signal + np.sqrt(1 - skill**2) * noise)
    given |= {"movement_10s": movement, "sigma_10s": np.full(n, 1e-4)}
    return pl.DataFrame(given | {"label_end_10s": ts + 10 * SECOND})


def registered(root, models, clock=time_ns):
    """A registry with these models as versions 1, 2, ..."""
    registry = Registry(root).timed(clock)
    for model in models:
        model.save(root.model(model.id))
        registry.register(model.id, registry.log_run(root.model(model.id)))
    return registry


def challenged(root, models):
    """A registry in market time whose first model is champion and whose second challenges it, since START."""
    registry = registered(root, models, lambda: START)
    registry.promote("1", None, "ann", "the first", override=True)
    registry.challenge("2", "ann", "")
    return registry
