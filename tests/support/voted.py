"""A data set of cues whose labels follow from two of their features, and what a model said of them."""

import numpy as np
import polars as pl

from ml.layering.dataset import episodes
from ml.layering.features import NAMES
from ml.layering.tables import DATASET, PREDICTIONS

START = 1_740_960_000 * 10**9
SECOND = 10**9
TELLING = ("rest", "since_pushed")


def cues(count: int, seed: int = 1, noise: float = 0.5, apart_s: int = 120, tier: str = "injected") -> pl.DataFrame:
    """Rows of `layering_dataset`, `apart_s` from each other: layering where two features are large, up to noise.

    The detector's score and the predecessor's are those of chance.
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, len(NAMES)))
    told = values[:, [NAMES.index(name) for name in TELLING]].sum(axis=1)
    ts = START + (np.arange(count) + 1) * apart_s * SECOND
    frame = pl.DataFrame(
        {
            "instrument": ["sim.SIMUSDT"] * count,
            "ts": ts,
            "id": [f"sim.SIMUSDT-{k}-bid" for k in range(count)],
            "side": ["bid"] * count,
            "start": ts - 10 * SECOND,
            "last_pull": ts - SECOND // 10,
            "label_end": ts,
            "volume": np.full(count, 2.0),
            "notional": np.full(count, 2_000.0),
            "score": rng.uniform(0.9, 1.0, count),
            "threshold": np.full(count, 0.9),
            "legacy_score": rng.uniform(0.0, 1.0, count),
            "hours": (ts - START) / (3600 * SECOND),
            "market_regime": ["ranging"] * count,
            "volatility_24h": np.full(count, 0.01),
            "volume_24h": np.full(count, 1e6),
            "liquidity": np.full(count, 0.9),
            "spread_bps": np.full(count, 0.1),
            "context_hours": np.full(count, 24.0),
            "label": (told + rng.normal(0, noise, count) > 0).astype(np.int8),
            "tier": [tier] * count,
        }
    )
    frame = frame.with_columns(
        *(pl.Series(name, values[:, k]) for k, name in enumerate(NAMES)),
        episode=episodes(*(frame[name].to_numpy() for name in ("instrument", "start", "ts"))),
        null_reason_context=pl.lit(0, pl.UInt8),
    )
    return frame.select(DATASET.schema.names())


def predicted(count: int = 200, seed: int = 1, right: float = 0.95) -> pl.DataFrame:
    """Rows of `layering_predictions` over 100 hours: half are layering, of which a model is right in so many."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 2
    sure = np.where(rng.uniform(size=count) < right, label, 1 - label)
    p = np.where(sure == 1, 0.9, 0.1) + rng.uniform(-0.05, 0.05, count)
    columns = {
        "fold": np.arange(count) * 4 // count,
        "instrument": ["sim.SIMUSDT"] * count,
        "ts": START + np.arange(count) * 1_800 * SECOND,
        "id": [f"sim.SIMUSDT-{k}-bid" for k in range(count)],
        "episode": np.arange(count),
        "label": label,
        "tier": ["gold"] * count,
        "hours": np.arange(count) * 100 / (count - 1),
        "score": rng.uniform(0.9, 1.0, count),
        "legacy_score": rng.uniform(0.0, 1.0, count),
        "random_forest": p,
        "lightgbm": p,
        "chosen": ["lightgbm"] * count,
        "probability": p,
        "prior": np.full(count, 0.5),
        "needed": np.full(count, 0.65),
        "says": p >= 0.65,
        "final_score": p,
    }
    return pl.DataFrame(columns, schema=PREDICTIONS.schema)
