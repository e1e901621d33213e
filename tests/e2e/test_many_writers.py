"""Two processes store fifty instruments each into one table within a second or two: no row is lost."""

import subprocess
import sys

import polars as pl
import pytest

from ml.storage import commit

WRITE = """
import sys, polars as pl
from pathlib import Path
from ml.storage import commit as store
from ml.core.paths import DataRoot
root = DataRoot(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for k in range(50):
    path = root.partition("features", "2025-01-0" + sys.argv[2], f"sim.S{k}")
    store.publish(root, "features", path, pl.DataFrame({"ts": range(2_000)}).with_columns(k=pl.lit(k)), "v")
"""


@pytest.mark.promise("A10")
def test_fifty_instruments_of_two_processes_survive(root):
    """2 x 50 x 2000 rows, each file listed, every name its own."""
    command = [sys.executable, "-c", WRITE, str(root.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, day], **pipes) for day in "12"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate()[1] or writer.returncode for writer in writers] == [0, 0]
    rows = pl.scan_parquet(root.table("features")).group_by("date", "k").len().collect()
    assert (rows.height, set(rows["len"])) == (100, {2_000})
    entries = commit.manifest(root, "features")
    assert len(entries) == len(root.manifest("features").read_text().splitlines()) == 100
    assert all(commit.sha256_file(root.root / name) == entry.sha256 for name, entry in entries.items())
