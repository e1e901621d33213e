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
    """Promoted, with every gate's number, from a market on which the detector alone gives hundreds of false alarms."""
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(tmp_path)}
    started = perf_counter()
    done = subprocess.run(
        [LOBFORGE, "layering", "demo", "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout.splitlines()[-1])
    print(f"layering demo: {perf_counter() - started:.0f} s")
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["decision"] == "promote"
    assert {gate["outcome"] for gate in report["gates"]} == {"pass"}
    assert report["champion"] == report["candidate"]
    told = report["scores"]
    assert told["model"]["pr_auc"] > told["detector"]["pr_auc"]
    assert told["model"]["confusion"]["false_alarms"] < 0.1 * told["detector"]["confusion"]["false_alarms"]
    (root,) = [DataRoot(path) for path in (tmp_path / "variants").iterdir()]
    assert champion_of(root, LAYERING_MODEL).id == report["champion"]
    assert decisions.verify(root, LAYERING_MODEL) == 1
    assert list(root.patterns.glob("layering_data_*.parquet"))

    again = subprocess.run([LOBFORGE, "layering", "demo"], env=environment, capture_output=True, text=True, check=False)
    assert "decision      promote" in again.stdout
    assert decisions.verify(root, LAYERING_MODEL) == 1, "the same evidence is decided once"
