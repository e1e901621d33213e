"""Fetching as Dagster sees it: a partition, its ledger, and a backfill over its dates."""

from dataclasses import replace

import dagster as dg
import pytest

from assets.archives import archive_files
from ml.archives import download, fetch
from ml.core import config
from ml.core.config import Config
from ml.core.errors import LobforgeError
from ml.core.paths import DataRoot
from ml.core.sources import Source
from ml.storage.durable import write_text
from pipelines.definitions import build_assets
from tests.conftest import default_dates
from tests.integration.assets.play import DATE, DAY_BEFORE, checks, lines, make, shown
from tests.support.file_server import Archive
from tests.support.kline_server import served
from tests.support.scenario import INSTRUMENT


@pytest.fixture
def archive(monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", 0.01)
    archive = Archive()
    with served(archive):
        yield archive


@pytest.fixture
def asking(tmp_path, archive):
    """A data root that holds nothing but a source."""
    root = DataRoot(tmp_path)
    source = Source("sim", archive.url + "/{symbol}-{date}.csv", INSTRUMENT.venue)
    configuration = Config(root.captures, *default_dates(), (INSTRUMENT,), (source,))
    write_text(root.config, config.render(configuration))
    return root, configuration


def test_a_person_sees_what_became_of_each_file(asking, archive):
    """Counts by state and the files; what is not published warns and stops nothing."""
    root, configuration = asking
    archive.add(f"/{INSTRUMENT.symbol}-{DATE}.csv", b"1,2,3")
    result = make(root, "archive_files")
    metadata = shown(result, "archive_files")
    assert (metadata["fetched"].value, metadata["not_published"].value, metadata["checksum"].value) == (1, 0, 0)
    assert [line["url"] for line in lines(result, "archive_files", "files")] == [
        f"{archive.url}/{INSTRUMENT.symbol}-{DATE}.csv"
    ]
    assert (configuration.captures / "sim" / f"{INSTRUMENT.symbol}-{DATE}.csv").read_bytes() == b"1,2,3"
    absent = make(root, "archive_files", date=DAY_BEFORE)
    assert shown(absent, "archive_files")["not_published"].value == 1
    assert not checks(absent)["archive_files", "published"]
    assert checks(absent)["archive_files", "checksums_agree"]


def test_a_partition_made_again_asks_nothing_and_keeps_its_bytes(asking, archive):
    """What is in its place is not missing."""
    root, _ = asking
    archive.add(f"/{INSTRUMENT.symbol}-{DATE}.csv", b"1,2,3")
    make(root, "archive_files")
    asked = len(archive.asked)
    listing = root.manifest(fetch.TABLE).read_bytes()
    make(root, "archive_files")
    assert len(archive.asked) == asked
    assert root.manifest(fetch.TABLE).read_bytes() == listing


def test_a_source_that_refuses_fails_the_step(asking, archive):
    """The step fails, and is retried later; no line says that there was no file."""
    root, configuration = asking
    archive.faults = [("status", 403, {})]
    key = dg.MultiPartitionKey({"date": DATE, "instrument": INSTRUMENT.id})
    with dg.build_asset_context(partition_key=key) as context, pytest.raises(LobforgeError, match="403"):
        list(archive_files(context, data_root=root, configuration=configuration))
    assert archive_files.op.retry_policy.max_retries > 0
    assert fetch.read_day(root, DATE, INSTRUMENT).is_empty()


@pytest.mark.parametrize("fetches", [True, False])
def test_frames_follow_from_files_where_a_source_is_listed(asking, fetches):
    """A backfill of both fetches a date before it reads its frames; without a source nobody is told to fetch first."""
    _, configuration = asking
    assets = build_assets(configuration if fetches else replace(configuration, sources=()))
    found = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition)]
    (frames,) = [asset for asset in found if dg.AssetKey("raw_frames") in asset.keys]
    assert (dg.AssetKey("archive_files") in frames.dependency_keys) == fetches
