"""Named selections of assets.

Here: what is run together, one sentence each.
"""

import dagster as dg

INGEST_GROUPS = ("raw", "samples", "features", "labels")
ON_DEMAND = ("legacy",)
"""Made of a folder that the run names."""

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.groups(*INGEST_GROUPS) | dg.AssetSelection.assets("training_features"),
    description="From captures to training features, for one UTC date and instrument.",
)
learn = dg.define_asset_job(
    "learn",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.groups(*INGEST_GROUPS, *ON_DEMAND)
    - dg.AssetSelection.assets("training_features"),
    description="From the stored training features to a decision about the champion.",
)
migrate = dg.define_asset_job(
    "migrate",
    selection=dg.AssetSelection.groups(*ON_DEMAND),
    description="The predecessor's files as tables; the run's configuration names their folder.",
)
label = dg.define_asset_job(
    "label",
    selection=dg.AssetSelection.assets("future_labels", "training_features"),
    description="Labels, and the feature store's rows with them, made anew from stored samples and features.",
)
