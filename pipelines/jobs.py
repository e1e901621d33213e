"""Named selections of assets.

Here: what is run together, one sentence each.
"""

import dagster as dg

INGEST_GROUPS = ("raw", "samples", "features", "labels")

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.groups(*INGEST_GROUPS) | dg.AssetSelection.assets("training_features"),
    description="From captures to training features, for one UTC date and instrument.",
)
candle_sets = dg.define_asset_job(
    "candle_sets",
    selection=dg.AssetSelection.groups("candle_sets"),
    description="Features and targets of candles, for one month and instrument.",
)
learn = dg.define_asset_job(
    "learn",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.groups(*INGEST_GROUPS, "candle_sets")
    - dg.AssetSelection.assets("training_features"),
    description="From the stored training features to a decision about the champion.",
)
