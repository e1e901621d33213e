"""Features and labels side by side: the offline feature store's rows.

Here: the join, in the layout that readers of the feature store know.
Not here: which rows may train (`ml.datasets.panel`).
"""

import polars as pl

from ml.schemas import HORIZONS

PRIMARY = HORIZONS[0]


def join(features: pl.DataFrame, labels: pl.DataFrame, instrument_id: str) -> pl.DataFrame:
    """The table `training_features`: every sample's features, null reasons and labels; no row is dropped."""
    joined = features.join(labels, on="ts", how="full", coalesce=True, validate="1:1", maintain_order="left").sort("ts")
    return joined.select(pl.lit(instrument_id).alias("instrument"), pl.all())
