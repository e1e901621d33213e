"""Features and labels side by side: the offline feature store's rows.

Here: the join, in the layout that readers of the feature store know.
Not here: which rows may train (`ml.learning.dataset`).
"""

import polars as pl

from ml.core.errors import DatasetError


def join(features: pl.DataFrame, labels: pl.DataFrame, instrument_id: str) -> pl.DataFrame:
    """The table `training_features`: every sample's features, null reasons and labels; no row is dropped.

    Raises:
        DatasetError: features and labels are not of the same samples.
    """
    alone = features.select("ts", of="ts").join(labels.select("ts", also="ts"), on="ts", how="full", coalesce=True)
    alone = alone.filter(pl.col("of").is_null() | pl.col("also").is_null()).sort("ts")
    if alone.height:
        table = "features" if alone["also"][0] is None else "labels"
        raise DatasetError(
            f"training_features {instrument_id}: {alone.height} times are in only one of features and labels (first "
            f"{alone['ts'][0]}, in {table}). Materialize both again from the same samples."
        )
    joined = features.join(labels, on="ts", how="inner", validate="1:1", maintain_order="left").sort("ts")
    return joined.select(pl.lit(instrument_id).alias("instrument"), pl.all())
