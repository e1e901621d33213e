"""`lobforge layering demo`: from captures of a simulated market to a registered model of cues, as a user runs it."""

import json
import os
import subprocess
from time import perf_counter

import jsonschema
import pytest

from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.promotion.registry import champion_of
from ml.storage import decisions
from tests.conftest import PROJECT
from tests.e2e.demos import LOBFORGE

SCHEMA = PROJECT / "tests" / "schemas" / "layering_learned.json"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_planted_episodes_become_a_registered_model(tmp_path):
    """A candidate is registered with its gates; two hours need not be enough to promote it, but nothing refuses it."""
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(tmp_path)}
    started = perf_counter()
    done = subprocess.run(
        [LOBFORGE, "layering", "demo", "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout.splitlines()[-1])
    print(f"layering demo: {perf_counter() - started:.0f} s")
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    outcomes = {gate["outcome"] for gate in report["gates"]}
    assert (report["decision"], outcomes) in [("promote", {"pass"}), ("insufficient", {"pass", "insufficient"})]
    assert report["version"] is not None
    told = report["scores"]
    assert told["model"]["pr_auc"] > 0.8
    assert told["model"]["confusion"]["false_alarms"] < told["detector"]["confusion"]["false_alarms"]
    (root,) = [DataRoot(path) for path in (tmp_path / "variants").iterdir()]
    champion = champion_of(root, LAYERING_MODEL)
    assert (champion.id if champion else None) == report["champion"]
    assert decisions.verify(root, LAYERING_MODEL) == 1
    assert list(root.patterns.glob("layering_data_*.parquet"))

    again = subprocess.run([LOBFORGE, "layering", "demo"], env=environment, capture_output=True, text=True, check=False)
    assert f"decision      {report['decision']}" in again.stdout
    assert decisions.verify(root, LAYERING_MODEL) == 1, "the same evidence is decided once"
