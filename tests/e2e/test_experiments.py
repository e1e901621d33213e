"""An experiment beside the default one, by editing `lobforge.toml` alone."""

import json
from pathlib import Path

import jsonschema
import pytest

from ml.core.config import Config, render
from ml.core.paths import DataRoot
from ml.learning.dataset import PanelRecord
from ml.promotion.registry import Registry
from ml.simulation.instrument import INSTRUMENT
from ml.storage import decisions
from ml.storage.durable import write_text
from ml.storage.parquet import Stored
from pipelines.demo import START, Demo
from tests.conftest import PROJECT
from tests.e2e.demos import run

LINES = '\n[experiments.all_30s]\nfeatures = "base_110"\nhorizon = 30\n'
HOURS = 5


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_both_end_in_decision_records_of_their_own(tmp_path):
    """Each has its panel, predictions, record, journal and model name; the report names both."""
    root = DataRoot(tmp_path / Demo(hours=HOURS).root().root.relative_to(Demo().root().root))
    configuration = Config(Path("captures") / "sim", START.date(), START.date(), (INSTRUMENT,))
    write_text(root.config, render(configuration) + LINES)
    code, report, _ = run(tmp_path, root, "--hours", str(HOURS))
    assert code == 0
    jsonschema.validate(report, json.loads((PROJECT / "tests" / "schemas" / "demo.json").read_text()))
    assert report["experiments"].keys() == {"base_35_10s", "all_30s"}
    for name, (columns, horizon) in {"base_35_10s": (35, 10), "all_30s": (110, 30)}.items():
        panel = PanelRecord.of(Stored(root.whole("dataset_panel", name)))
        assert (len(panel.experiment.feature_set.columns), panel.experiment.horizon) == (columns, horizon)
        (line,) = decisions.journal(root, name)
        record = decisions.read(root, line, name)
        assert record["hash"] == report["experiments"][name]["record"]
        assert (record["experiment"]["name"], record["dataset_id"]) == (name, panel.dataset_id)
        assert record["label_spec"]["horizon"] == horizon
        (version,) = Registry(root, name).versions()
        assert version.model_id == record["candidate"] == report["experiments"][name]["candidate"]
    found = report["experiments"]["base_35_10s"]
    assert {name: report[name] for name in found} == found
