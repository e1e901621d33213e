"""What was received and what follows from it, as Dagster materializes it."""

import gzip

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.core import config
from ml.core.config import Config
from ml.market import gaps
from ml.market.decode.events import CHECKPOINT, SNAPSHOT
from ml.storage.commit import manifest, publish
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.integration.assets.play import (
    DAY_BEFORE,
    DECODED,
    checks,
    columns_of,
    drawn,
    made,
    make,
    shown,
    spoil,
    stored,
)
from tests.support.scenario import INSTRUMENT, capture, diff

RAW = ("raw_frames", *DECODED)


@pytest.mark.promise("B5")
def test_a_day_made_again_in_place_has_the_same_bytes(rebuilt, ingested):
    """Of every table: the files, and the manifest, in which no line is added."""
    root, result = rebuilt
    for table in made(result):
        files = sorted(path.relative_to(root.root) for path in root.table(table).rglob("*.parquet"))
        assert files, table
        assert [f for f in files if (root.root / f).read_bytes() != (ingested.root / f).read_bytes()] == []
        assert root.manifest(table).read_bytes() == ingested.manifest(table).read_bytes()


@pytest.mark.parametrize("table", RAW)
def test_a_stored_partition_is_the_documented_table(rebuilt, table):
    """Columns and dtypes."""
    root, result = rebuilt
    assert table in made(result)
    conform(stored(root, table), SCHEMAS[table], table)


@pytest.mark.parametrize("table", RAW)
def test_a_person_sees_rows_columns_and_file(rebuilt, table):
    """Row count, path and hash are those of the stored file; its columns stand in the definition."""
    root, result = rebuilt
    metadata = shown(result, table)
    frame = stored(root, table)
    assert metadata["dagster/row_count"].value == frame.height
    assert [c.name for c in columns_of(table)] == frame.columns
    assert manifest(root, table)[metadata["path"].value].sha256 == metadata["sha256"].value


def test_raw_frames_name_their_files(rebuilt):
    """How many files there were, which lines were quarantined, and which instruments nobody listed."""
    _, result = rebuilt
    metadata = shown(result, "raw_frames")
    assert metadata["files"].value == 4
    assert metadata["lines quarantined by file"].value == {}
    assert metadata["unlisted instruments"].value == []


def test_what_nobody_listed_is_named(root, tmp_path):
    """Frames of another instrument and a torn line in the captures are told of, and change nothing else."""
    configuration = config.load(root)
    before = stored(root, "raw_frames")
    folder = tmp_path / "more"
    folder.mkdir()
    for path in configuration.captures.glob("*.zst"):
        (folder / path.name).symlink_to(path)
    stray = capture(tmp_path / "stray.log", [diff(2, 1, 1_741_040_000_000), b"torn"], 1_741_040_000_000)
    (folder / "stray.gz").write_bytes(gzip.compress(stray.read_bytes(), mtime=0))
    given = Config(folder, configuration.first_date, configuration.last_date, configuration.instruments)
    metadata = shown(make(root, "raw_frames", resources={"configuration": given}), "raw_frames")
    assert metadata["unlisted instruments"].value == ["binance-usdm.BTCUSDT"]
    assert metadata["lines quarantined by file"].value == {"stray.gz": {"bad_json": 1}}
    assert_frame_equal(stored(root, "raw_frames"), before)


def test_the_counts_of_decoding_are_shown(rebuilt):
    """What was applied, dropped and late is the events' metadata, and agrees with the stored rows."""
    root, result = rebuilt
    counts = {name: value.value for name, value in shown(result, "book_events").items()}
    events = stored(root, "book_events")
    applied = events.filter((pl.col("flags") & (CHECKPOINT | SNAPSHOT) == 0) & (pl.col("side") != 0))
    assert counts["level_updates"] == applied.height > 0
    assert counts["trades"] == stored(root, "trades").height > 0
    assert (counts["off_market_trades"], counts["dropped_before_snapshot"], counts["repeats"]) == (0, 0, 0)


def test_a_person_sees_when_the_book_was_known(root):
    """Share and gaps of the day as the stored rows give them, and a picture of all instruments stored of it."""
    validity = stored(root, "validity", DAY_BEFORE)
    own = gaps.coverage(gaps.named(validity, DAY_BEFORE, INSTRUMENT.id)).row(0, named=True)
    other = root.partition("validity", DAY_BEFORE, "sim.OTHER")
    alone = shown(make(root, *DECODED, date=DAY_BEFORE), "validity")
    publish(root, "validity", other, validity, "v")
    result = make(root, *DECODED, date=DAY_BEFORE)
    metadata = shown(result, "validity")
    assert metadata["share of the day known"].value == own["share"] < 2.5 / 24
    assert metadata["gaps"].value == own["gaps"] == 1
    assert drawn(result, "validity", "known by hour")[0].startswith(b"\x89PNG")
    assert metadata["known by hour"].value != alone["known by hour"].value


def test_an_outage_warns_and_stops_nothing(root):
    """The day before has one: its rule is broken, and the run goes on."""
    result = make(root, *DECODED, "book_samples", date=DAY_BEFORE)
    assert [rule for rule, passed in checks(result).items() if not passed] == [("validity", "no_gap")]
    assert made(result) == {*DECODED, "book_samples"}
    assert stored(root, "validity", DAY_BEFORE)["end_reason"].to_list() == ["sequence_gap", None]


def test_a_frame_that_cannot_be_used_is_quarantined(root):
    """A price that is no number costs its frame, with reason and offset; the rest of the day is decoded."""
    frames = stored(root, "raw_frames")
    diffs = frames.filter(pl.col("payload").bin.contains(b"depthUpdate"))
    victim = diffs.row(diffs.height // 2, named=True)
    broken = victim["payload"].replace(b'"b":[["', b'"b":[["x', 1)
    chosen = pl.col("arrival") == victim["arrival"]
    spoil(
        root, "raw_frames", lambda f: f.with_columns(payload=pl.when(chosen).then(pl.lit(broken)).otherwise("payload"))
    )
    result = make(root, *DECODED)
    assert broken != victim["payload"]
    assert not checks(result)["quarantine", "nothing_quarantined"]
    row = stored(root, "quarantine").row(0, named=True)
    assert (row["reason"], row["offset"], row["line"]) == ("bad_number", victim["offset"], broken)
    assert stored(root, "validity")["end_reason"][0] == "bad_frame"
