"""A data root in a folder whose name holds what patterns, addresses, markup and shells read as their own."""

import json
import os
import shlex
import subprocess

import pytest

from ml.catalog import views
from ml.core import config
from ml.core.paths import DataRoot
from ml.promotion.registry import Registry
from tests.e2e.demos import LOBFORGE

KEY = "2025-03-03", "sim.SIMUSDT"


def lobforge(root: DataRoot, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    environment.pop("DAGSTER_HOME", None)
    return subprocess.run([LOBFORGE, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_every_part_works_below_any_path(tmp_path):
    """Ingest, training, decision, live replay, views, doctor, verify, backup and restore, and the printed command."""
    folder = tmp_path / "x [y]#1%20?'é"
    base = DataRoot(folder / "run[1]")
    done = lobforge(base, "demo", "--hours", "0.2")
    assert done.returncode == 0, done.stderr[-3_000:]
    assert done.stderr.startswith(("wrote ", "compiling", "simulate ")), done.stderr[:500]
    root = DataRoot(base.root / "variants" / "alpha0.25-seed7-0.2h")
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert [path.name for path in folder.iterdir()] == ["run[1]"]
    (printed,) = (line for line in done.stdout.splitlines() if line.startswith("look further"))
    words = shlex.split(printed.removeprefix("look further").partition(", then")[0])
    assert words == [f"LOBFORGE_DATA_ROOT={root.root}", "make", "ui"]

    (instrument,) = config.load(root).instruments
    rows = views.frame(root, instrument, "trades").collect().height
    assert rows > 0
    assert views.connect(root, instrument).execute("select count(*) from trades").fetchall() == [(rows,)]
    registry = Registry(root)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.json").write_text("{}")
    run = registry.log_run(tmp_path / "model", {"a": 1}, {"b": 2.0}, {}, {"p.png": b"png"})
    assert [found.path for found in registry.client.list_artifacts(run)] == ["model", "plots"]

    said = lobforge(root, "doctor", "--json")
    assert [found for found in json.loads(said.stdout) if not found["ok"]] == []
    assert lobforge(root, "verify").returncode == 0
    assert lobforge(root, "backup", str(folder / "copy[1]")).returncode == 0
    other = DataRoot(folder / "restored?")
    assert lobforge(other, "restore", str(folder / "copy[1]")).returncode == 0
    assert Registry(other).client.list_artifacts(run, "model")
