"""What each table's values must satisfy, by table.

Here: the rules. A blocking rule that is broken stops what depends on the table; the others warn.
Not here: how a rule is evaluated (`ml.tables.rules`); impossible data raise where the table is made, before it is
stored.
"""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from ml.catalog.candle_rules import CANDLE_RULES
from ml.core.config import HORIZONS
from ml.features.legacy.table import ABSENT, LEGACY_SETS
from ml.features.sets import BASE
from ml.features.tick.table import FEATURES, Feature
from ml.labels.classes import DOWN, NEUTRAL, UP
from ml.tables.rules import Rule

LEAST_CLASS = 0.05
SECOND = 10**9
MINUTE = 60 * 10**9


def _irregular(frame: pl.DataFrame) -> int:
    return int((frame["ts"].diff().drop_nulls() != SECOND).sum())


def _uneven(frame: pl.DataFrame) -> int:
    return int((frame["ts"].diff().drop_nulls() != MINUTE).sum())


def _unknown_inside(frame: pl.DataFrame) -> int:
    """Unknown minutes between the first and the last known one, if they are more than 5 % of them."""
    known = frame["reason"].is_null().arg_true()
    if known.is_empty():
        return 0
    span = int(known[-1] - known[0] + 1)
    return span - known.len() if span - known.len() > 0.05 * span else 0


def _rare_class(frame: pl.DataFrame) -> int:
    """Classes that have less than 5 % of the rows; none where there are no rows."""
    shares = [(frame["direction"] == code).mean() or 0.0 for code in (DOWN, NEUTRAL, UP)]
    return sum(share < LEAST_CLASS for share in shares) if frame.height else 0  # type: ignore[operator]


def _feature_rules(families: Mapping[str, Sequence[str]]) -> tuple[Rule, ...]:
    """Of a table with a row per second, whose null reasons cover these columns by family."""
    names = [name for columns in families.values() for name in columns]
    return (
        Rule("one_row_a_second", _irregular, True, "Feature rows follow each other by exactly one second."),
        Rule(
            "finite_or_null",
            ~pl.all_horizontal(pl.col(names).is_finite().fill_null(value=True)),
            True,
            "Every feature is a finite number or null.",
        ),
        Rule(
            "reasons_given",
            pl.any_horizontal(
                pl.any_horizontal(pl.col(columns).is_null()) & (pl.col(f"null_reason_{family}") == 0)
                for family, columns in families.items()
            ),
            True,
            "Every null has a reason.",
        ),
    )


def _by_family(features: Iterable[Feature]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for feature in features:
        found.setdefault(feature.family, []).append(feature.id)
    return found


RULES: dict[str, tuple[Rule, ...]] = {
    "archive_files": (
        Rule("published", pl.col("state") == "not_published", False, "The publisher has every file."),
        Rule("checksums_agree", pl.col("state") == "checksum", False, "Every file is the one that was published."),
    ),
    "book_events": (
        Rule("arrivals_ascend", pl.col("arrival").diff() < 0, True, "Rows are in the order of their arrival."),
        Rule("sizes_not_negative", pl.col("size") < 0, True, "No level has a negative size."),
    ),
    "trades": (
        Rule(
            "prints_positive",
            (pl.col("price") <= 0) | (pl.col("size") <= 0),
            True,
            "Every trade has a price and a size.",
        ),
        Rule("arrivals_ascend", pl.col("arrival").diff() < 0, True, "Rows are in the order of their arrival."),
    ),
    "validity": (
        Rule("intervals_ascend", pl.col("start_ts") < pl.col("end_ts").shift(1), True, "Intervals do not overlap."),
        Rule(
            "no_gap",
            pl.col("end_reason").is_not_null() & (pl.col("end_reason") != "capture_end"),
            False,
            "The book was known without a break.",
        ),
    ),
    "trade_validity": (
        Rule("intervals_ascend", pl.col("start_ts") < pl.col("end_ts").shift(1), True, "Intervals do not overlap."),
        Rule(
            "trades_captured",
            pl.col("end_reason") == "no_trades_captured",
            False,
            "Trades were captured.",
        ),
    ),
    "quarantine": (Rule("nothing_quarantined", lambda frame: frame.height, False, "No frame had to be quarantined."),),
    "candles": (
        Rule("one_row_a_minute", _uneven, True, "Candles follow each other by exactly one minute."),
        Rule(
            "prices_in_order",
            (pl.min_horizontal("open", "close") < pl.col("low"))
            | (pl.max_horizontal("open", "close") > pl.col("high")),
            True,
            "Open and close lie between low and high.",
        ),
        Rule(
            "known_or_reason",
            (pl.col("reason").is_null() == pl.col("volume").is_null())
            | (pl.col("open").is_null() != (pl.col("n_trades").fill_null(0) == 0)),
            True,
            "Every candle is known or has a reason, and has prices exactly if somebody traded.",
        ),
        Rule(
            "whole_inside",
            _unknown_inside,
            False,
            "At least 95 % of the minutes between the first and the last known one are known.",
        ),
    ),
    "book_samples": (
        Rule("one_row_a_second", _irregular, True, "Samples follow each other by exactly one second."),
        Rule(
            "bids_below_asks",
            (pl.col("bid_price_1") > pl.col("ask_price_1")) & pl.col("valid"),
            False,
            "The best bid is not above the best ask in more than 0.1 % of the valid samples.",
            tolerated=0.001,
        ),
        Rule(
            "book_is_known",
            ~pl.col("valid"),
            False,
            "The book is known in at least 95 % of the samples.",
            tolerated=0.05,
        ),
    ),
    "features": (
        *_feature_rules(_by_family(FEATURES)),
        Rule(
            "covered",
            pl.any_horizontal(pl.col(BASE.columns).is_null()),
            False,
            f"At least 80 % of the rows have all features of {BASE.name}.",
            tolerated=0.2,
        ),
    ),
    "future_labels": (
        Rule("one_row_a_second", _irregular, True, "Labels follow each other by exactly one second."),
        Rule(
            "labelled",
            pl.col(f"movement_{HORIZONS[0]}s").is_null(),
            False,
            "At least 80 % of the rows have a label at the primary horizon.",
            tolerated=0.2,
        ),
    ),
    "dataset_panel": (Rule("classes_present", _rare_class, False, "Each class has at least 5 % of the rows."),),
    "training_features": (
        Rule("has_rows", lambda frame: int(frame.is_empty()), False, "The partition has rows."),
        Rule("times_ascend", pl.col("ts").diff() <= 0, True, "Rows are sorted by time and each time stands once."),
    ),
    **{
        chosen.name: _feature_rules(_by_family(f for f in chosen.features if f.id not in ABSENT))
        for chosen in LEGACY_SETS.values()
    },
} | CANDLE_RULES
