"""A whole folder of the predecessor."""

import hashlib

import pytest

from ml.core.errors import CaptureError, StoreError
from ml.legacy import migration
from tests.support import legacy_files, legacy_patterns


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Every kind of file."""
    folder = tmp_path_factory.mktemp("old")
    legacy_files.everything(folder)
    legacy_patterns.every_pattern(folder)
    return folder


def hashes(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.promise("B8")
def test_sources_stay_as_they_are(tree, root):
    """Hash before = hash after, and no file more or less."""
    before = hashes(tree)
    report = migration.migrate(root, tree, "bybit-linear")
    assert hashes(tree) == before
    assert report["source_files"] == len(before) - 2  # the pickle and the raw book are left
    assert {entry["reason"] for entry in report["left"]} == {"pickle", "raw_lob"}


def test_only_parquet_lies_in_the_trees(tree, root):
    """Proofs and reasons lie outside."""
    report = migration.migrate(root, tree, "bybit-linear")
    for table in report["tables"]:
        assert {p.suffix for p in root.table(table).rglob("*") if p.is_file()} <= {".parquet"}


def test_tables_may_be_made_one_by_one(tree, root):
    """An asset each."""
    report = migration.migrate(root, tree, "bybit-linear", kinds=["legacy_layering"])
    assert list(report["tables"]) == ["legacy_layering"]
    assert not root.table("legacy_samples").exists()


def test_a_source_that_changes_meanwhile_is_an_error(tree, root, monkeypatch):
    """A collector that still runs would make the proofs lie."""
    monkeypatch.setattr(migration, "_hashes", lambda _: object())
    with pytest.raises(StoreError, match="changed while they were migrated"):
        migration.migrate(root, tree, "bybit-linear")


def test_nothing_to_migrate_is_an_error(root, tmp_path):
    """A wrong path must not look like success."""
    with pytest.raises(CaptureError):
        migration.migrate(root, tmp_path, "bybit-linear")
