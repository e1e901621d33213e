"""Fetching as Dagster sees it: a partition, its ledger, and a backfill over its dates."""

from dataclasses import replace

import pytest

from ml import config, download, fetch
from ml.sources import Source
from ml.store import write_text
from tests.assets.play import DATE, DAY_BEFORE, checks, graph, make, shown
from tests.file_server import Archive
from tests.kline_server import served
from tests.scenario import INSTRUMENT


@pytest.fixture
def archive(monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", 0.01)
    archive = Archive()
    with served(archive):
        yield archive


@pytest.fixture
def asking(root, archive, tmp_path):
    """The ingested data root with an empty folder of captures and a source."""
    source = Source("sim", archive.url + "/{symbol}-{date}.csv", INSTRUMENT.venue)
    listed = replace(config.load(root), captures=tmp_path / "captures", sources=(source,))
    write_text(root.config, config.render(listed))
    return root, listed


def test_a_person_sees_what_became_of_each_file(asking, archive):
    """Counts by state and the files; what is not published warns and stops nothing."""
    root, listed = asking
    archive.add(f"/{INSTRUMENT.symbol}-{DATE}.csv", b"1,2,3")
    result = make(root, "archive_files")
    metadata = shown(result, "archive_files")
    assert (metadata["fetched"].value, metadata["not_published"].value, metadata["checksum"].value) == (1, 0, 0)
    assert f"{archive.url}/{INSTRUMENT.symbol}-{DATE}.csv" in metadata["files"].value
    assert (listed.captures / "sim" / f"{INSTRUMENT.symbol}-{DATE}.csv").read_bytes() == b"1,2,3"
    absent = make(root, "archive_files", date=DAY_BEFORE)
    assert shown(absent, "archive_files")["not_published"].value == 1
    assert not checks(absent)["archive_files", "published"]
    assert checks(absent)["archive_files", "checksums_agree"]


def test_a_partition_made_again_asks_nothing_and_keeps_its_bytes(asking, archive):
    """What is in its place is not missing."""
    root, _ = asking
    archive.add(f"/{INSTRUMENT.symbol}-{DATE}.csv", b"1,2,3")
    make(root, "archive_files")
    asked, listing = len(archive.asked), root.manifest(fetch.TABLE).read_bytes()
    make(root, "archive_files")
    assert len(archive.asked) == asked
    assert root.manifest(fetch.TABLE).read_bytes() == listing


def test_a_source_that_refuses_fails_the_step(asking, archive):
    """The run fails, so that it is seen and run again; no line says that there was no file."""
    root, _ = asking
    archive.faults = [("status", 403, {})]
    assert not make(root, "archive_files", raise_on_error=False).success
    assert fetch.read_day(root, DATE, INSTRUMENT).is_empty()


def test_frames_follow_from_files():
    """A backfill of both fetches a date before it reads its frames."""
    (raw,) = [asset for asset in graph() if "raw_frames" in {key.path[-1] for key in asset.keys}]
    assert {key.path[-1] for key in raw.dependency_keys} == {"archive_files"}
