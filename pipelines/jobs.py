"""Jobs: named selections of assets with a description."""

import dagster as dg

INGEST_GROUPS = ("raw", "samples", "features", "labels")
LEARN_GROUPS = ("dataset", "training", "validation", "promotion")

fetch = dg.define_asset_job(
    "fetch",
    selection=dg.AssetSelection.groups("archives"),
    description="Files of public archives that are missing among the captures, for one UTC date and instrument.",
)
index_captures = dg.define_asset_job(
    "index_captures",
    selection=dg.AssetSelection.assets("capture_index"),
    description="Read capture files that came or changed, and note which partitions they reach.",
)
receive = dg.define_asset_job(
    "receive",
    selection=dg.AssetSelection.assets("raw_frames"),
    description="Raw frames of one UTC date and instrument; what follows from them starts by itself.",
)
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
legacy_sets = dg.define_asset_job(
    "legacy_sets",
    selection=dg.AssetSelection.groups("legacy_sets"),
    description="The predecessor's feature sets from our own samples and minutes, for one UTC date and instrument.",
)
learn = dg.define_asset_job(
    "learn",
    selection=dg.AssetSelection.groups(*LEARN_GROUPS) - dg.AssetSelection.assets("training_features"),
    description="From the stored training features to a decision about the champion.",
)
challenge = dg.define_asset_job(
    "challenge",
    selection=dg.AssetSelection.groups("deployment") - dg.AssetSelection.assets("performance_report"),
    description="Compare a challenger with the champion on stored days, and take the step that follows.",
)
measure = dg.define_asset_job(
    "measure",
    selection=dg.AssetSelection.assets("performance_report"),
    description="What the champion was right about on the newest stored days, against what it was promoted for.",
)
watch = dg.define_asset_job(
    "watch",
    selection=dg.AssetSelection.groups("monitoring"),
    description="What models served on one UTC date and instrument, and its drift against their training data.",
)
migrate = dg.define_asset_job(
    "migrate",
    selection=dg.AssetSelection.groups("legacy"),
    description="The predecessor's files as tables; the run's configuration names their folder.",
)
pressure = dg.define_asset_job(
    "pressure",
    selection=dg.AssetSelection.groups("pressure"),
    description="Spoofing pressure, for one UTC date and instrument; experiments with base_35_pressure need it.",
)
layering = dg.define_asset_job(
    "layering",
    selection=dg.AssetSelection.assets("layering_cues"),
    description="Cues of layering, for one UTC date and instrument.",
)
learn_layering = dg.define_asset_job(
    "learn_layering",
    selection=dg.AssetSelection.groups("layering") - dg.AssetSelection.assets("layering_cues", "layering_benchmark"),
    description="From the votes on stored cues to a decision about the champion among models of cues.",
)
benchmark_layering = dg.define_asset_job(
    "benchmark_layering",
    selection=dg.AssetSelection.assets("layering_benchmark"),
    description="Recall and false alarms of the detector of layering on simulated markets; minutes of computing.",
)
label = dg.define_asset_job(
    "label",
    selection=dg.AssetSelection.assets("future_labels", "training_features"),
    description="Labels, and the feature store's rows with them, recomputed from stored samples and features.",
)
