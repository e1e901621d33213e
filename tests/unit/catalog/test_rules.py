"""The rules of the tables: what a stored day keeps, and the one change that breaks each."""

import polars as pl
import pytest

from ml.catalog.tables import RULES
from ml.core import config
from ml.core.paths import FEATURE_GROUP
from ml.core.time import SECOND
from ml.features.legacy.table import ABSENT, LEGACY_SETS
from ml.features.pressure.table import NAMES as PRESSURE
from ml.learning import dataset
from ml.learning.experiment import DEFAULT
from ml.storage.commit import read
from ml.tables.rules import evaluate
from ml.tables.schemas import SCHEMAS
from tests.support.scenario import INSTRUMENT
from tests.support.voted import cues

DATE = "2025-03-04"
OF_CANDLES = ("candle_features", "candle_targets")
MADE = ("archive_files", "dataset_panel", "layering_cues", "layering_dataset", "spoofing_pressure")
NOT_INGESTED = (*MADE, *OF_CANDLES, *LEGACY_SETS)


@pytest.fixture(scope="module")
def stored(ingested):
    """The tables of a simulated day without a gap."""
    tables = {t: read(ingested.partition(t, DATE, INSTRUMENT.id)).collect() for t in RULES if t not in NOT_INGESTED}
    sources = dataset.Selection().sources(ingested)
    spec = dataset.fit_spec(ingested, sources, DEFAULT)
    archives = pl.DataFrame({"state": ["fetched"]}, schema_overrides=SCHEMAS["archive_files"])
    built = pl.concat(dataset.panel(ingested, config.load(ingested), sources, spec, DEFAULT).frames)
    times = {"ts": [4, 5], "start": [1, 1], "first_pull": [2, 2], "last_pull": [3, 3]}
    scored = pl.DataFrame(times | {"score_high": [0.9, 0.9], "threshold": [0.8, 0.8]})
    others = {"dataset_panel": built, "archive_files": archives, "layering_cues": scored, "layering_dataset": cues(5)}
    pressed = pl.DataFrame({"ts": [SECOND, 2 * SECOND]} | {name: [0.5, 0.25] for name in PRESSURE})
    others["spoofing_pressure"] = pressed.with_columns(null_reason_pressure=pl.lit(0, pl.UInt8))
    return tables | others


def set_row(frame, row, **values):
    """The frame with other values in one row."""
    here = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(here).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def failed(frame, table):
    return [verdict.rule.name for verdict in evaluate(frame, RULES[table]) if not verdict.passed]


def test_a_whole_day_breaks_no_blocking_rule(stored):
    """What the pipeline stores is what it promises; look-backs cost a short capture some rows."""
    for table, frame in stored.items():
        assert [v.rule.name for v in evaluate(frame, RULES[table]) if v.rule.blocking and not v.passed] == []


def shuffled(frame):
    return frame.reverse()


def nulls(share, name):
    return lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) < share * pl.len()).then(None).otherwise(name).alias(name)
    )


INTERVAL = {"start_ts": [0], "end_ts": [9], "end_reason": ["sequence_gap"]}
CHANGES = [
    ("book_events", "arrivals_ascend", shuffled),
    ("book_events", "sizes_not_negative", lambda f: set_row(f, 3, size=-1)),
    ("trades", "trades_positive", lambda f: set_row(f, 3, size=0)),
    ("trades", "trades_positive", lambda f: set_row(f, 3, price=0)),
    ("trades", "arrivals_ascend", shuffled),
    ("validity", "intervals_ascend", lambda f: pl.concat([f, f])),
    ("validity", "no_gap", lambda f: set_row(f, 0, end_reason="sequence_gap")),
    ("trade_validity", "intervals_ascend", lambda f: pl.concat([f, f])),
    ("trade_validity", "trades_captured", lambda f: set_row(f, 0, end_reason="no_trades_captured")),
    ("quarantine", "nothing_quarantined", lambda f: pl.DataFrame({n: [None] for n in f.columns}, schema=f.schema)),
    ("layering_cues", "cues_ascend", shuffled),
    ("layering_cues", "pulled_after_placed", lambda f: set_row(f, 0, start=9)),
    ("layering_cues", "above_threshold", lambda f: set_row(f, 0, threshold=1.0)),
    ("layering_dataset", "cues_stand_once", lambda f: set_row(f, 0, id=f["id"][1])),
    ("layering_dataset", "cues_ascend", shuffled),
    ("layering_dataset", "reasons_given", lambda f: set_row(f, 0, liquidity=None)),
    ("candles", "one_row_per_minute", lambda f: pl.concat([f.head(9), f.slice(10)])),
    ("candles", "prices_in_order", lambda f: set_row(f, 9, high=f["close"][9] - 1)),
    ("candles", "prices_in_order", lambda f: set_row(f, 9, low=f["open"][9] + 1)),
    ("candles", "known_or_reason", lambda f: set_row(f, 9, reason="silent")),
    ("candles", "known_or_reason", lambda f: set_row(f, -1 + f.height, reason=None)),
    ("candles", "known_or_reason", lambda f: set_row(f, 9, open=None)),
    (
        "candles",
        "whole_inside",
        lambda f: f.with_columns(reason=pl.when(pl.int_range(pl.len()) > 0).then(pl.lit("x"))).vstack(f.head(1)),
    ),
    ("book_samples", "one_row_per_second", lambda f: pl.concat([f.head(9), f.slice(10)])),
    ("book_samples", "one_row_per_second", lambda f: set_row(f, 3, ts=f["ts"][3] + 1)),
    ("book_samples", "bids_below_asks", lambda f: f.with_columns(bid_price_1=pl.col("ask_price_1") + 1)),
    ("book_samples", "book_is_known", lambda f: f.with_columns(valid=pl.int_range(pl.len()) > 0.06 * pl.len())),
    ("features", "finite_or_null", lambda f: set_row(f, 50, spread_bps=float("inf"))),
    ("features", "finite_or_null", lambda f: set_row(f, 50, qi_1=float("nan"))),
    ("features", "reasons_given", lambda f: set_row(f, 50, spread_bps=None, null_reason_book=0)),
    ("features", "covered", nulls(0.3, "qi_1")),
    ("features", "one_row_per_second", lambda f: pl.concat([f.head(9), f.slice(10)])),
    ("spoofing_pressure", "one_row_per_second", lambda f: set_row(f, 1, ts=3 * SECOND)),
    ("spoofing_pressure", "finite_or_null", lambda f: set_row(f, 1, msci_bid=float("nan"))),
    ("spoofing_pressure", "reasons_given", lambda f: set_row(f, 1, pulled_rate_ask=None)),
    ("future_labels", "one_row_per_second", lambda f: pl.concat([f.head(9), f.slice(10)])),
    ("dataset_panel", "classes_present", lambda f: f.with_columns(direction=pl.lit(1, pl.Int8))),
    ("future_labels", "labelled", nulls(0.3, "movement_10s")),
    ("archive_files", "published", lambda f: f.with_columns(state=pl.lit("not_published"))),
    ("archive_files", "checksums_agree", lambda f: f.with_columns(state=pl.lit("checksum"))),
    (FEATURE_GROUP, "has_rows", pl.DataFrame.clear),
    (FEATURE_GROUP, "times_ascend", lambda f: pl.concat([f.head(2), f.slice(1)])),
]


@pytest.mark.parametrize(
    ("table", "rule", "change"), CHANGES, ids=[f"{t}-{r}-{k}" for k, (t, r, _) in enumerate(CHANGES)]
)
def test_a_change_breaks_its_rule(stored, table, rule, change):
    """Each rule finds the damage that it is there for."""
    assert rule not in failed(stored[table], table)
    assert rule in failed(change(stored[table]), table)


def test_every_rule_has_its_damage():
    """A rule that is added needs a change that breaks it here; those of candles have a file of their own."""
    elsewhere = {*OF_CANDLES, *LEGACY_SETS}
    rules = {(table, rule.name) for table in RULES if table not in elsewhere for rule in RULES[table]}
    assert rules == {(table, rule) for table, rule, _ in CHANGES}


@pytest.mark.parametrize("table", LEGACY_SETS)
def test_the_predecessors_columns_have_the_rules_of_features(table):
    """A null that has no reason breaks one, but not that of a column which is unavailable; infinity breaks another."""
    names = LEGACY_SETS[table].columns
    families = ("orderbook", "candle", "indicator")
    whole = pl.DataFrame({"ts": [0, SECOND, 2 * SECOND]}).with_columns(
        *(pl.lit(None if name in ABSENT else 1.0, pl.Float64).alias(name) for name in names),
        *(pl.lit(0, pl.UInt8).alias(f"null_reason_{family}") for family in families),
    )
    assert failed(whole, table) == []
    assert failed(set_row(whole, 1, sma_50=None), table) == ["reasons_given"]
    assert failed(set_row(whole, 1, sma_50=None, null_reason_indicator=3), table) == []
    assert failed(set_row(whole, 1, sma_50=float("inf")), table) == ["finite_or_null"]
    assert failed(whole[[0, 2]], table) == ["one_row_per_second"]


@pytest.mark.parametrize(("crossed", "passed"), [(1, True), (10, True), (11, False)])
def test_a_crossed_book_is_tolerated_for_one_sample_in_a_thousand(crossed, passed):
    """A crossed message may precede its repair; a book that is often crossed is a wrong book."""
    frame = pl.DataFrame({"bid_price_1": [9] * crossed + [1] * (10_000 - crossed)}).with_columns(
        ts=pl.int_range(pl.len()) * SECOND, ask_price_1=pl.lit(5), valid=pl.lit(value=True)
    )
    assert ("bids_below_asks" not in failed(frame, "book_samples")) is passed
