"""The table `layering_cues`: its columns follow from cues and features.

Here: the spec.
Not here: what a cue is (`ml.layering.detector`), cues as rows (`ml.layering.days`).
"""

import polars as pl

from ml.layering.features import FEATURES
from ml.tables.rules import Rule
from ml.tables.schemas import NS, PRICE, SIZE
from ml.tables.spec import F64, I64, TEXT, Column, TableSpec

FIRM = "cue"
INDETERMINATE = "indeterminate"
CUES = TableSpec(
    "layering_cues",
    "a cluster of pulled orders that looks like layering; never what their owner meant",
    (
        Column("ts", I64, NS, "Exchange time at which the cue was decided: the message after the last pull."),
        Column("id", TEXT, "", "Of instrument, time and side."),
        Column("side", TEXT, "", "Of the pulled lots, bid or ask."),
        Column("start", I64, NS, "Birth of the first lot."),
        Column("first_pull", I64, NS, "First cancellation of a lot."),
        Column("last_pull", I64, NS, "Last cancellation of a lot."),
        Column("prices", pl.List(I64), PRICE, "Of the lots, best first."),
        Column("volume", I64, SIZE, "Cancelled."),
        Column("scale", I64, SIZE, "S: median best size of the 30 minutes before."),
        Column("score", F64, "1", "Of the detector, 0 to 1."),
        Column("final_score", F64, "1", "The same with the answer of a registered model, where there is one."),
        Column("score_low", F64, "1", "The least score that the attribution allows."),
        Column("score_high", F64, "1", "The largest score that the attribution allows."),
        Column("verdict", TEXT, "", f"`{FIRM}`, or `{INDETERMINATE}` where the attribution decides whether it is one."),
        Column("threshold", F64, "1", "Score from which a cluster was a cue."),
        Column("reason", TEXT, "", "Why, in a sentence."),
        *(Column(feature.id, F64, feature.unit, f"{feature.formula}.") for feature in FEATURES),
    ),
    sources=("raw_frames", "book_events", "trades"),
    rules=(
        Rule("cues_ascend", pl.col("ts").diff() < 0, True, "Rows are in the order of decision."),
        Rule(
            "pulled_after_placed",
            (pl.col("start") > pl.col("first_pull")) | (pl.col("first_pull") > pl.col("last_pull")),
            True,
            "Lots are placed before they are pulled, and the first is pulled before the last.",
        ),
        Rule("above_threshold", pl.col("score_high") < pl.col("threshold"), True, "Every cue reaches the threshold."),
    ),
)
SPECS = (CUES,)
