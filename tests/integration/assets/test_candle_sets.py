"""Candle features and targets as Dagster materializes them, a month at a time."""

import dagster as dg
import polars as pl
import pytest

from ml.candles.months import bounds
from ml.catalog.tables import TABLES
from ml.core.config import render
from ml.core.paths import DataRoot
from ml.features.candle.table import UNIFIED
from ml.storage.commit import manifest, publish, read
from ml.storage.durable import write_text
from ml.tables.schemas import SCHEMAS, NullReason
from ml.tables.spec import conform
from pipelines.demo import default_config
from tests.integration.assets.play import checks, drawn, graph, lines, shown
from tests.support.candles import candle_frame
from tests.support.scenario import INSTRUMENT, listing

MONTH = "2025-03"
DAY = 24 * 3_600 * 10**9
QUARTER = 900 * 10**9
START, END = bounds(MONTH)
FIRST = START - 12 * DAY


def make(root, *names, **options):
    """Materialize assets of the month."""
    from pipelines.definitions import resources_of

    key = dg.MultiPartitionKey({"month": MONTH, "instrument": INSTRUMENT.id})
    with listing(INSTRUMENT.id) as instance:
        options |= {"partition_key": key, "resources": resources_of(root), "instance": instance}
        return dg.materialize(graph(), selection=list(names), **options)


def store_venue(root, candles):
    """Candles as the venue serves them, a partition a day."""
    stored = candles.with_columns(timeframe=pl.lit("15m"), day=(pl.col("ts") - 1) // DAY)
    for (day,), rows in stored.group_by("day", maintain_order=True):
        date = str(pl.select(pl.from_epoch(pl.lit(day), time_unit="d").cast(pl.Date)).item())
        path = root.partition("rest_candles", date, INSTRUMENT.id)
        publish(root, "rest_candles", path, rows.select(SCHEMAS["rest_candles"].names()), "t")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A root with twelve days before the month, the month but two candles, and a day after it; and the run's result."""
    root = DataRoot(tmp_path_factory.mktemp("months"))
    write_text(root.config, render(default_config()))
    candles = candle_frame((END - FIRST) // QUARTER + 96, first=FIRST)
    store_venue(root, pl.concat([candles[:2_400], candles[2_402:]]))
    return root, make(root, "candle_features", "candle_targets")


def stored(root, table):
    return read(root.partition(table, MONTH, INSTRUMENT.id)).collect()


def test_every_candle_of_the_month_is_a_row(made):
    """The columns of the schema; the first row has all its features, out of the month before."""
    root, _ = made
    rows = stored(root, "candle_features")
    following = stored(root, "candle_targets")
    assert conform(rows, TABLES["candle_features"].schema, "candle_features")["ts"].equals(following["ts"])
    assert (rows["ts"][0], rows["ts"][-1]) == (START + QUARTER, END)
    assert rows.height == 31 * 96 - 2
    assert rows.select(UNIFIED.names).row(0).count(None) == 0


def test_the_month_ends_where_the_next_begins(made):
    """The last row has targets twelve hours ahead, out of the month after."""
    root, _ = made
    rows = conform(stored(root, "candle_targets"), TABLES["candle_targets"].schema, "candle_targets")
    assert rows.row(-1, named=True)["future_return_12h"] is not None
    assert set(rows["null_reason_12h"].unique()) == {0, NullReason.HORIZON_INVALID}
    assert rows.filter(pl.col("null_reason_12h") > 0).height == 48


def test_the_checks_are_canaries_and_rules(made):
    """All hold, but that two missing candles cost eight days of features."""
    _, result = made
    found = checks(result)
    assert {name for table, name in found if name.startswith("canary_")} == {
        "canary_truncation",
        "canary_future_scramble",
        "canary_planted_leak",
    }
    assert {name for (table, name), passed in found.items() if not passed} == {"covered"}


def test_a_person_sees_coverage_and_a_picture(made):
    """A line per family or horizon with its reasons, and a picture, of which the event log keeps little."""
    _, result = made
    for table, line in (("candle_features", "price"), ("candle_targets", "12h")):
        metadata = shown(result, table)
        assert line in {next(iter(found.values())) for found in lines(result, table, "coverage")}
        assert metadata["dagster/row_count"].value == 31 * 96 - 2
        png, inline = drawn(result, table, "by day")
        assert png.startswith(b"\x89PNG")
        assert inline < 25_000
    assert any("warm_up" in found["reasons"] for found in lines(result, "candle_features", "coverage"))
    assert any("direction_4h" in found.values() for found in lines(result, "candle_targets", "classes"))


def test_rebuilt_it_has_the_same_bytes(made):
    """The partition is a function of the stored candles."""
    root, _ = made
    before = manifest(root, "candle_features") | manifest(root, "candle_targets")
    make(root, "candle_features", "candle_targets")
    assert manifest(root, "candle_features") | manifest(root, "candle_targets") == before


def test_of_trades_too(ingested, tmp_path):
    """A capture of a few hours: rows for its quarters of an hour, null for the rest, and every blocking check holds."""
    from tests.integration.assets.play import copy_of

    root = copy_of(ingested, tmp_path)
    result = make(root, "candle_features", "candle_targets")
    rows = stored(root, "candle_features")
    assert rows.height == 2 * 96
    assert 5 <= rows["close"].drop_nulls().len() <= 14
    assert {name for (_, name), passed in checks(result).items() if not passed} == {"covered", "labelled"}
