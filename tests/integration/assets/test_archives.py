"""Fetching as Dagster sees it: a partition, its ledger, and a backfill over its dates."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from ml.archives import download, fetch
from ml.core import config
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.sources import Source
from ml.storage.durable import write_text
from tests.conftest import default_dates
from tests.integration.assets.play import DATE, DAY_BEFORE, checks, make, shown
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
    listed = Config(root.captures, *default_dates(), (INSTRUMENT,), (source,))
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
    asked = len(archive.asked)
    listing = root.manifest(fetch.TABLE).read_bytes()
    make(root, "archive_files")
    assert len(archive.asked) == asked
    assert root.manifest(fetch.TABLE).read_bytes() == listing


def test_a_source_that_refuses_fails_the_step(asking, archive):
    """The run fails, so that it is seen and run again; no line says that there was no file."""
    root, _ = asking
    archive.faults = [("status", 403, {})]
    assert not make(root, "archive_files", raise_on_error=False).success
    assert fetch.read_day(root, DATE, INSTRUMENT).is_empty()


DEPENDENCIES = """
from assets.raw import raw_frames
print([key.to_user_string() for key in raw_frames.dependency_keys])
"""


@pytest.mark.parametrize("fetches", [True, False])
def test_frames_follow_from_files_where_a_source_is_listed(asking, fetches):
    """A backfill of both fetches a date before it reads its frames; without a source nobody is told to fetch first."""
    root, listed = asking
    if not fetches:
        write_text(root.config, config.render(replace(listed, sources=())))
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    told = subprocess.run([sys.executable, "-c", DEPENDENCIES], env=environment, check=True, stdout=subprocess.PIPE)
    assert told.stdout.split() == ([b"['archive_files']"] if fetches else [b"[]"])
