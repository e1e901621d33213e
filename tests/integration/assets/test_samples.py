"""The sampled book as Dagster materializes it."""

import polars as pl

from ml.core.time import SECOND
from ml.storage.commit import manifest
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.integration.assets.play import checks, drawn, made, make, shown, spoil, stored


def test_a_rebuilt_day_has_the_same_bytes(rebuilt, ingested):
    """The stored samples are the documented columns, a row per second, as they were before."""
    root, result = rebuilt
    samples = conform(stored(root, "book_samples"), SCHEMAS["book_samples"], "book_samples")
    assert manifest(root, "book_samples") == manifest(ingested, "book_samples")
    assert set(samples["ts"].diff().drop_nulls()) == {SECOND}
    assert shown(result, "book_samples")["dagster/row_count"].value == samples.height == 2_400


def test_the_day_is_drawn(rebuilt):
    """The depth is a PNG in a file; the event log, which keeps things for ever, holds a small copy."""
    _, result = rebuilt
    png, inline = drawn(result, "book_samples", "depth")
    assert png.startswith(b"\x89PNG")
    assert inline < 25_000


def test_an_unknown_book_warns_and_stops_nothing(root):
    """A third of the day's book is lost after its checkpoint: the rule is broken, features are made with nulls."""
    spoil(root, "raw_frames", lambda f: pl.concat([f[:3_000], f[7_000:]]))
    result = make(root, "book_events", "trades", "validity", "trade_validity", "quarantine", "book_samples", "features")
    assert not checks(result)["book_samples", "book_is_known"]
    assert checks(result)["book_samples", "one_row_per_second"]
    assert "features" in made(result)
    unknown = stored(root, "book_samples").filter(~pl.col("valid"))["ts"]
    rows = stored(root, "features").filter(pl.col("ts").is_in(unknown.implode()))
    assert rows.height == unknown.len() > 120
    assert rows["spread_bps"].null_count() == rows.height
