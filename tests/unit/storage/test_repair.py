"""What a killed writer left behind: healed, listed or quarantined, and never taken from the living."""

import fcntl
from dataclasses import replace

import polars as pl
import pytest

from ml.storage import commit
from ml.storage.repair import sweep

ROWS = pl.DataFrame({"ts": [1, 2], "x": [0.5, None]})


@pytest.fixture
def path(root):
    return root.partition("features", "2025-01-01", "sim.X")


def test_an_unreadable_file_is_quarantined(root, path):
    """The sweep keeps the bytes, outside the tree, one beside the other."""
    entry = commit.publish(root, "features", path, ROWS, "v")
    for date in ("2025-01-01", "2025-01-02"):
        damaged = root.partition("features", date, "sim.Y")
        damaged.parent.mkdir(exist_ok=True)
        damaged.write_bytes(b"PAR1 " + date.encode() + b" PAR1")
    done = sweep(root, ["features"])
    assert [line.partition(" (")[0] for line in done] == [f"features: quarantined the unreadable {damaged.name}"] * 2
    kept = sorted((root.quarantine / "features").rglob("*.parquet"))
    assert [p.read_bytes()[5:15] for p in kept] == [b"2025-01-01", b"2025-01-02"]
    assert [p.name for p in root.table("features").rglob("*.parquet")] == [path.name]
    assert commit.manifest(root, "features") == {entry.path: entry}


def test_damage_is_taken_for_no_content(root, path):
    """A listed file whose bytes changed keeps its entry, so that the difference can be seen."""
    entry = commit.publish(root, "features", path, ROWS, "v")
    ROWS.head(1).write_parquet(path)
    assert sweep(root, ["features"]) == []
    assert commit.manifest(root, "features") == {entry.path: entry}


def test_a_torn_manifest_line_is_healed(root, path):
    """A line that a power cut tore is closed off, and the sweep lists its file again."""
    entry = commit.publish(root, "features", path, ROWS, "v")
    root.manifest("features").write_bytes(root.manifest("features").read_bytes()[:-20] + b"\xff")
    assert commit.manifest(root, "features") == {}
    sweep(root, ["features"])
    assert commit.manifest(root, "features")[entry.path] == replace(entry, code_version="swept")


def test_a_file_in_the_making_is_left_to_its_maker(root):
    """A leftover is taken away once nobody holds its lock, and not before."""
    staged = root.staging / "features" / "1-half.parquet"
    staged.parent.mkdir(parents=True)
    with staged.open("wb") as maker:
        fcntl.flock(maker, fcntl.LOCK_EX)
        assert sweep(root, ["features"]) == []
        assert staged.exists()
    assert sweep(root, ["features"]) == ["features: removed the unfinished 1-half.parquet"]
    assert not staged.exists()


def test_a_table_that_is_being_written_is_left_alone(root, path):
    """What stands without an entry may be about to be listed."""
    path.parent.mkdir(parents=True)
    ROWS.write_parquet(path)
    with commit.writer(root, "features"):
        assert sweep(root, ["features", "trades"]) == []
    assert len(sweep(root, ["features", "trades"])) == 1
    assert list(commit.manifest(root, "features")) == [str(path.relative_to(root.root))]
