"""Candles from trades as Dagster materializes them."""

import polars as pl

from ml.core.time import MINUTE
from ml.storage.commit import manifest
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.integration.assets.play import DAY_BEFORE, checks, drawn, lines, make, shown, spoil, stored


def test_a_rebuilt_day_has_the_same_bytes(rebuilt, ingested):
    """Every minute of the day is a row; what was captured holds every trade."""
    root, result = rebuilt
    candles = conform(stored(root, "candles"), SCHEMAS["candles"], "candles")
    assert manifest(root, "candles") == manifest(ingested, "candles")
    assert set(candles["ts"].diff().drop_nulls()) == {MINUTE}
    assert shown(result, "candles")["dagster/row_count"].value == candles.height == 1_440
    assert candles["n_trades"].sum() == stored(root, "trades").height
    assert candles.filter(pl.col("reason").is_null()).height == 40


def test_a_person_sees_the_kinds_of_minutes_and_a_picture(rebuilt):
    """How many were traded, quiet or not known, and a picture, of which the event log keeps little."""
    _, result = rebuilt
    assert (
        1_400 in next(line for line in lines(result, "candles", "minutes") if "capture_end" in line.values()).values()
    )
    png, inline = drawn(result, "candles", "close and volume")
    assert png.startswith(b"\x89PNG")
    assert inline < 25_000


def test_an_outage_makes_its_minutes_unknown_and_no_other(root):
    """Five seconds on the day before cost the minutes they touch; the rest of the day keeps its candles."""
    candles = stored(root, "candles", DAY_BEFORE)
    lost = candles.filter(reason="sequence_gap")
    assert 1 <= lost.height <= 2
    assert lost.select(pl.exclude("ts", "reason").is_null().all()).row(0) == (True,) * 8
    assert checks(make(root, "candles", date=DAY_BEFORE))["candles", "whole_inside"]


def test_long_outages_warn(root):
    """Five minutes of forty are lost: the rule is broken, the candles are made."""

    def interrupted(captured):
        until = captured.with_columns(end_ts=pl.col("start_ts") + 20 * MINUTE, end_reason=pl.lit("silent"))
        return pl.concat([until, captured.with_columns(start_ts=pl.col("start_ts") + 25 * MINUTE)])

    spoil(root, "trade_validity", interrupted)
    result = make(root, "candles")
    assert [rule for rule, passed in checks(result).items() if not passed] == [("candles", "whole_inside")]
    assert stored(root, "candles").filter(reason="silent").height == 5
