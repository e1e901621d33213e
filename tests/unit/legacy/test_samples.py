"""Samples of all generations in one table: counts, order, labels, idempotence, kills."""

import os
import signal
import subprocess
import sys

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.core.paths import DataRoot
from ml.legacy import samples
from ml.legacy.columns import FUTURE, HORIZONS, ROWS, SAMPLES, STORED
from ml.legacy.sources import find
from ml.storage import commit
from ml.storage.repair import sweep
from ml.tables.spec import conform
from tests.support import legacy_files as files

VENUE = "bybit-linear"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A tree of every generation, and what must become of it."""
    folder = tmp_path_factory.mktemp("old")
    return folder, files.everything(folder)


def run(root, folder, **options):
    return samples.migrate(root, find(folder).of("batch", "offline"), VENUE, **options)


@pytest.fixture(scope="module")
def migrated(written, tmp_path_factory):
    """The tree migrated, and the report."""
    root = DataRoot(tmp_path_factory.mktemp("new") / "data")
    return root, run(root, written[0])


def table(root):
    paths = [root.root / path for path in sorted(commit.manifest(root, samples.TABLE))]
    return pl.concat([commit.load(path) for path in paths])


def contents(root):
    return {path.relative_to(root.root): path.read_bytes() for path in root.root.rglob("*") if path.is_file()}


@pytest.mark.promise("B8")
def test_every_row_is_kept_doubled_or_quarantined(written, migrated):
    """Counted while the files were written, and counted in what is stored."""
    truth, (root, report) = written[1], migrated
    assert (report["rows"], report["kept"], report["duplicates"]) == (truth.rows, len(truth.samples), truth.duplicates)
    assert report["quarantined"] == truth.quarantined
    expected = {(f"{VENUE}.{symbol}", t * 10**6) for symbol, t in truth.samples}
    rows = table(root)
    assert set(rows.select("instrument", "ts").iter_rows()) == expected
    assert rows.height == len(expected)


def test_a_partition_is_a_utc_day_in_order_of_time(migrated):
    """Whatever the names of folders and files said."""
    root, _ = migrated
    for path in commit.manifest(root, samples.TABLE):
        rows = conform(commit.load(root.root / path), SAMPLES, samples.TABLE)
        day = pl.from_epoch(rows["ts"], time_unit="ns").dt.date().cast(pl.String).unique().to_list()
        assert path.split("/")[-2] == f"date={day[0]}"
        assert len(day) == 1
        assert rows["ts"].is_sorted()
        assert rows["instrument"].unique().to_list() == [path.split("features_")[1].removesuffix(".parquet")]


def test_of_copies_the_last_with_a_label_stays(migrated):
    """The scaled batch without labels and the raw one with them hold the same samples."""
    rows = table(migrated[0]).filter(pl.col("instrument") == f"{VENUE}.ETHUSDT")
    assert rows["source"].unique().to_list() == ["ml_training/ETHUSDT/features/2025-11-09_batch_0007.npy"]
    assert rows["features_scaled"].unique().to_list() == [False]


@pytest.mark.promise("B8")
def test_nothing_was_unpickled(written, migrated):
    """The hostile array's command did not run."""
    assert migrated
    assert not (written[0] / "marker").exists()


def test_agreement_is_that_of_the_stored_columns(migrated):
    """DuckDB counts the same on the stored files."""
    root, report = migrated
    tree = root.table(samples.TABLE)
    for h in HORIZONS:
        new = f"future_direction_{h}s"
        old = f"legacy_direction_{h}s"
        query = f"select count({new}), count({new} = {old}), count(*) filter ({new} = {old}) from '{tree}/**/*.parquet'"  # noqa: S608
        (counted,) = duckdb.sql(query).fetchall()
        told = report["labels"][f"{h}s"]
        assert counted == (told["labelled"], told["compared"], told["agree"])
    assert report["labels"]["60s"]["agreement"] > 0.9
    assert report["labels"]["10s"]["labelled"] == 0  # a price every 20 s cannot say it


@pytest.mark.promise("B8")
def test_a_second_run_changes_no_byte(written, migrated):
    """Nor does a run that has forgotten its receipts and must make every day again."""
    root, first = migrated
    before = contents(root)
    again = run(root, written[0])
    assert contents(root) == before
    assert again == first | {"files_written": 0}
    for receipt in (root.meta / samples.TABLE / "days").iterdir():
        receipt.unlink()
    assert run(root, written[0])["files_written"] == 0
    assert contents(root) == before


def test_a_dry_run_says_the_same_and_writes_nothing(written, migrated, root):
    """What would happen is what happens."""
    report = run(root, written[0], dry_run=True)
    assert report == migrated[1] | {"files_written": 0}
    assert not list(root.root.rglob("*.parquet"))
    assert not (root.meta / samples.TABLE / "proofs").exists()


def test_parts_may_come_one_after_the_other(written, migrated, root):
    """Symbol by symbol, and the parquet files last: the same rows as in one go, and the same counts."""
    folder, truth = written
    for part in (*sorted((folder / "ml_training").iterdir()), folder / "feature_store"):
        run(root, part)
    names = ["instrument", "ts"]
    drop = ["batch", "source"]  # named below the folder that was given
    assert_frame_equal(table(root).drop(drop).sort(names), table(migrated[0]).drop(drop).sort(names))
    assert len(table(root)) == len(truth.samples)


@pytest.mark.promise("B8")
@pytest.mark.parametrize("step", ["staged", "renamed", "listed"])
def test_a_killed_migration_goes_on(written, migrated, root, step):
    """SIGKILL in the middle, more than once: in the end the same bytes as without."""
    code = f"from tests.support.disk import kill_at; kill_at({step!r}); from cli.__main__ import main; main()"
    command = [sys.executable, "-c", code, "migrate", str(written[0]), "--json"]
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    run(root, written[0])
    tables = {path: data for path, data in contents(root).items() if path.parts[0] == "feature_store"}
    assert tables == {path: d for path, d in contents(migrated[0]).items() if path.parts[0] == "feature_store"}
    assert sweep(root, [samples.TABLE]) == [] or step == "staged"


def test_a_changed_source_replaces_its_rows(root, tmp_path):
    """Labels that were written later, in place, win over the copy without them."""
    ts = files.times(30)
    mids = files.prices(30)
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids, labelled=False)
    run(root, tmp_path)
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids, labelled=True)
    report = run(root, tmp_path)
    assert (report["kept"], report["duplicates"]) == (30, 0)
    assert table(root)["legacy_direction_10s"].count() + table(root)["legacy_direction_60s"].count() > 0


def test_columns_are_named_once():
    """Stored, new and other columns do not overlap."""
    assert set(FUTURE) & set(ROWS) == set()
    assert set(STORED) < set(ROWS)
