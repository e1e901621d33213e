"""The tables of layering: cues, their labels, the data set of both, and what models said of cues they had not seen.

Here: the specs.
Not here: what a cue is (`ml.layering.detector`), how the tables are made (`days`, `dataset`, `walk_forward`).
"""

import polars as pl

from ml.layering.features import FEATURES
from ml.tables.rules import Rule
from ml.tables.schemas import NS, PRICE, SIZE
from ml.tables.spec import F64, I64, TEXT, U8, Column, Partitioning, TableSpec

TIERS = ("injected", "gold", "silver", "weak", "self")
"""Who says what a cue is, best first, see `ml.layering.labels`."""
FIRM = "cue"
INDETERMINATE = "indeterminate"
_FEATURES = tuple(Column(feature.id, F64, feature.unit, f"{feature.formula}.") for feature in FEATURES)
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
        *_FEATURES,
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
_CUE_ID = Column("id", TEXT, "", "Of the cue: instrument, time and side.")
_TIER = f"Who says so, best first: {', '.join(TIERS)}."
_INSTRUMENT = Column("instrument", TEXT, "", "Id of the instrument.")
_EPISODE = Column("episode", I64, "1", "Cues whose times touch share one; it is never split between training and test.")
_HOURS = Column("hours", F64, "h", "Over which the instrument's book was known up to the cue, in its stored days.")
_LEGACY = Column("legacy_score", F64, "1", "Largest score of the predecessor's rule for the side from start to ts.")
CONTEXT = (
    Column(
        "market_regime",
        TEXT,
        "",
        "bullish or bearish where the last hour moved by more than its standard deviation, or ranging.",
    ),
    Column(
        "volatility_24h",
        F64,
        "fraction",
        "Standard deviation of one-minute log returns of the last 24 h, scaled to a day.",
    ),
    Column("volume_24h", F64, "quote", "Traded in the last 24 h."),
    Column(
        "liquidity",
        F64,
        "1",
        "Share of the minutes of the last 24 h in which the 20 best levels of both sides held no more than now.",
    ),
    Column("spread_bps", F64, "bps", "Best ask less best bid."),
    Column("context_hours", F64, "h", "Of the last 24 h, over how many the book is stored and known."),
    Column("null_reason_context", U8, "", "Why the market around it is null: a code of NullReason, 0 where none is."),
)
"""The market around a cue, see `ml.layering.context`."""
LABELLED = TableSpec(
    "layering_labels",
    "what people and truth files say of a cue, all votes taken together",
    (
        Column("cue_id", TEXT, "", "Of the cue."),
        Column("label", pl.Int8(), "", "1 layering, 0 not, null where nobody decided."),
        Column("tier", TEXT, "", _TIER),
        Column("accepts", I64, "1", "Reviewers who accept it."),
        Column("rejects", I64, "1", "Reviewers who reject it."),
        Column("conflict", pl.Boolean(), "", "Whether reviewers disagree without a majority of two."),
    ),
    Partitioning.WHOLE,
    clock=None,
)
DATASET = TableSpec(
    "layering_dataset",
    "a cue with its features, the market around it and its label, if it has one",
    (
        _INSTRUMENT,
        Column("ts", I64, NS, "Exchange time at which the cue was decided."),
        _CUE_ID,
        Column("side", TEXT, "", "Of the pulled lots, bid or ask."),
        Column("start", I64, NS, "Birth of the first lot."),
        Column("last_pull", I64, NS, "Last cancellation of a lot."),
        Column(
            "label_end", I64, NS, "What its label depends on ends here: ts, of a weak label 30 s after the last pull."
        ),
        _EPISODE,
        Column("volume", F64, "base", "Cancelled."),
        Column("notional", F64, "quote", "Cancelled, at the mid price; null where the market is."),
        Column("score", F64, "1", "Of the detector, 0 to 1."),
        Column("threshold", F64, "1", "Score from which a cluster was a cue."),
        _LEGACY,
        _HOURS,
        *CONTEXT,
        *_FEATURES,
        Column("label", pl.Int8(), "", "1 layering, 0 not, null where nobody knows."),
        Column("tier", TEXT, "", _TIER),
    ),
    Partitioning.WHOLE,
    sources=("layering_cues", "layering_labels", "book_samples"),
    rules=(
        Rule("cues_stand_once", lambda frame: frame.height - frame["id"].n_unique(), True, "Each cue stands once."),
        Rule("cues_ascend", pl.col("ts").diff() < 0, True, "Rows are in the order of decision."),
        Rule(
            "reasons_given",
            pl.any_horizontal(pl.col("market_regime", "volatility_24h", "volume_24h", "liquidity").is_null())
            & (pl.col("null_reason_context") == 0),
            True,
            "Every null has a reason.",
        ),
    ),
)
PREDICTIONS = TableSpec(
    "layering_predictions",
    "what models said of a labelled cue that lies after all they were trained on",
    (
        Column("fold", I64, "1", "Number of the fold, in order of time."),
        _INSTRUMENT,
        Column("ts", I64, NS, "Exchange time at which the cue was decided."),
        _CUE_ID,
        _EPISODE,
        Column("label", pl.Int8(), "", "1 layering, 0 not."),
        Column("tier", TEXT, "", _TIER),
        _HOURS,
        Column("score", F64, "1", "Of the detector, 0 to 1."),
        _LEGACY,
        Column("random_forest", F64, "1", "Probability of layering by the random forest."),
        Column("lightgbm", F64, "1", "Probability of layering by LightGBM."),
        Column("chosen", TEXT, "", "Which of the two did better inside the training rows."),
        Column("probability", F64, "1", "That of the chosen one."),
        Column("prior", F64, "1", "Share of layering among the training rows."),
        Column("needed", F64, "1", "Probability from which the cue counts as layering, by the market around it."),
        Column("says", pl.Boolean(), "", "Whether the model says layering."),
        Column("final_score", F64, "1", "Mean of score and probability if it does, half the score if not."),
    ),
    Partitioning.WHOLE,
    sources=("layering_dataset",),
)
SPECS = (CUES, LABELLED, DATASET, PREDICTIONS)
