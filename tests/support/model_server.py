"""A data root whose registry holds two tiny models, and rows to ask them about: what tests of the model server need."""

from pathlib import Path
from time import time_ns

import numpy as np

from ml.core.config import render
from ml.core.paths import DataRoot
from ml.feature_store.latest import NewestWriter
from ml.features.sets import BASE, WHOLE
from ml.features.tick.table import FAMILIES
from ml.promotion.registry import Registry
from ml.simulation.instrument import INSTRUMENT
from ml.storage.durable import write_text
from tests.support.lives import trained


def two_models(folder: Path) -> None:
    """Fill a folder: `lobforge.toml`, version 1 champion, version 2 registered."""
    from pipelines.demo import default_config

    root = DataRoot(folder)
    write_text(root.config, render(default_config()))
    registry = Registry(root)
    for model in (trained(0.5), trained(0.8, seed=5)):
        model.save(root.model(model.id))
        registry.register(model.id, registry.log_run(root.model(model.id)))
    registry.promote("1", None, "ann", "the first", override=True)


def rows(n: int, seed: int = 1) -> np.ndarray:
    """Feature rows f64 (n, columns of the models' set)."""
    return np.random.default_rng(seed).normal(size=(n, len(BASE.columns)))


def publish(root: DataRoot, age_s: float = 0.0, nulls: dict[str, int] | None = None, hash_: str = WHOLE.hash) -> dict:
    """Put a newest row of the simulated instrument into the online store; returns its values by feature.

    `nulls` are features that are null, with the code of the reason; their whole family gets it.
    """
    values = np.random.default_rng(3).normal(size=len(WHOLE.columns))
    reasons = np.zeros(len(FAMILIES), np.uint8)
    for name, code in (nulls or {}).items():
        at = WHOLE.columns.index(name)
        values[at] = np.nan
        reasons[list(FAMILIES).index(WHOLE.features[at].family)] = code
    ts = time_ns() - int(age_s * 1e9)
    NewestWriter(root, INSTRUMENT.id, (WHOLE.name, hash_), WHOLE.columns, FAMILIES).put(ts, ts, values, reasons)
    return dict(zip(WHOLE.columns, values.tolist(), strict=True)) | {"ts": ts}
