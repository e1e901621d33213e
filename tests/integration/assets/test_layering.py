"""From stored cues and votes to a decision, as Dagster materializes it."""

from datetime import date
from shutil import copytree

import polars as pl
import pytest

from ml.core.config import Config, render
from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.core.versions import LAYERING, code_version
from ml.layering import gates
from ml.layering.families import FOREST_PARAMS
from ml.layering.features import NAMES
from ml.layering.labels import LabelLog
from ml.layering.tables import CUES
from ml.promotion.registry import Registry
from ml.storage import decisions
from ml.storage.commit import manifest, publish
from ml.storage.durable import write_text
from tests.integration.assets.play import copy_of, document, drawn, lines, make, shown, stored
from tests.support.layered import INSTRUMENT
from tests.support.shared import made_once
from tests.support.voted import START, cues
from tests.unit.layering.test_dataset import samples

DATE = "2025-03-03"
COUNT = 120


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A data root with a day of cues, all but one of them labelled, on which the job `learn_layering` ran."""
    from pipelines.jobs import learn_layering

    root = DataRoot(tmp_path_factory.mktemp("layering"))
    store = made_once(tmp_path_factory, "registry", lambda folder: Registry(DataRoot(folder)))
    copytree(DataRoot(store).mlflow, root.mlflow)
    write_text(root.config, render(Config(root.captures, date(2025, 3, 3), date(2025, 3, 3), (INSTRUMENT,))))
    given = cues(COUNT, noise=0.1, apart_s=38)
    seconds = (given["ts"].max() - START) // 10**9 + 60
    frame = given.with_columns(
        first_pull=pl.col("last_pull"),
        prices=pl.lit([10_000], pl.List(pl.Int64)),
        volume=pl.lit(2_000, pl.Int64),
        scale=pl.lit(100, pl.Int64),
        final_score="score",
        score_low="score",
        score_high="score",
        verdict=pl.lit("cue"),
        reason=pl.lit(""),
    ).select(CUES.schema.names())
    for table, rows in ((CUES.name, frame), ("book_samples", samples(seconds))):
        publish(root, table, root.partition(table, DATE, INSTRUMENT.id), rows, code_version(LAYERING))
    with LabelLog(root.label_log) as log:
        log.add_cues(given["id"])
        for cue, label in given.select("id", "label").head(COUNT - 1).iter_rows():
            log.vote(cue, label, "truth", START, source="injected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FOREST_PARAMS, "n_estimators", 5)
        patch.setattr("ml.layering.families.ROUNDS", 40)
        patch.setattr(gates, "DRAWS", 200)
        return root, make(root, learn_layering.selection, date=None, experiment=None)


def test_every_cue_is_in_the_data_set(learned):
    """With its label, the market around it once an hour is known, and in the predecessor's files."""
    root, result = learned
    rows = stored(root, "layering_dataset", date=None)
    assert rows["tier"].value_counts(sort=True).rows() == [("injected", COUNT - 1), (None, 1)]
    known = rows["null_reason_context"] == 0
    assert known.is_sorted()
    assert known.sum() == rows.filter(pl.col("ts") > START + 3_660 * 10**9).height
    assert [line["len"] for line in lines(result, "layering_dataset", "labels")] == rows.group_by(
        "tier", "label"
    ).len().sort("tier", "label")["len"].to_list()
    assert len(list(root.patterns.glob("layering_data_*.parquet"))) == 2


def test_the_decision_names_what_it_was_made_of(learned):
    """Hashes of the stored data set and predictions, a number for each gate, and the registered version."""
    root, result = learned
    record = document(root, "layering_decision")
    hashes = {
        table: next(iter(manifest(root, table).values())).sha256
        for table in ("layering_dataset", "layering_predictions")
    }
    assert (record["dataset_sha256"], record["predictions_sha256"]) == tuple(hashes.values())
    assert document(root, "layering_model") == {"model_id": record["candidate"], "dataset_id": record["dataset_sha256"]}
    assert record["mlflow_version"] == "1"
    assert decisions.read(root, decisions.journal(root, LAYERING_MODEL)[-1], LAYERING_MODEL) == record
    told = {line["name"]: line["outcome"] for line in lines(result, "layering_decision", "gates")}
    assert told == {gate["name"]: gate["outcome"] for gate in record["gates"]}
    assert (told["labels"], told["reload"], told["canaries"]) == ("pass", "pass", "pass")
    assert shown(result, "layering_decision")["decision"].value == record["decision"]


def test_predictions_come_after_all_training(learned):
    """The last 60 % of the labelled cues, each once; the plot and the scores are shown."""
    root, result = learned
    found = stored(root, "layering_predictions", date=None)
    rows = stored(root, "layering_dataset", date=None).drop_nulls("label")
    assert found["id"].to_list() == rows["id"].to_list()[-found.height :]
    assert found.height == COUNT - 1 - int(0.4 * (COUNT - 1))
    assert [line["by"] for line in lines(result, "layering_predictions", "scores")] == [
        "model",
        "random_forest",
        "lightgbm",
        "detector",
    ]
    assert drawn(result, "layering_predictions", "precision and recall")[0].startswith(b"\x89PNG")
    assert len(NAMES) == rows.select(NAMES).width


def test_without_labels_every_step_says_so(learned, tmp_path):
    """No model and no predictions; the champion, if there is one, stays."""
    from pipelines.jobs import learn_layering

    root = copy_of(learned[0], tmp_path)
    root.label_log.unlink()
    result = make(root, learn_layering.selection, date=None, experiment=None)
    record = document(root, "layering_decision")
    assert (record["decision"], record["candidate"], record["scores"]) == ("insufficient", None, {})
    assert record["champion_before"] == Registry(root, LAYERING_MODEL).champion()
    assert "100 more labels" in shown(result, "layering_model")["model"].value
    assert stored(root, "layering_predictions", date=None).is_empty()


def test_the_benchmark_is_stored_with_its_plot(learned, monkeypatch):
    """With the hours and streams of the run's configuration; nothing of a capture is read."""
    root, _ = learned
    import dagster as dg

    from assets.layering_model import Benchmark

    told = {"recall_m2": 0.9, "false_alarms_per_hour": 1.5, "hours": 0.1, "legacy_rule": {"recall": 0.0}}
    report = {"simulator": told | {"budgets": {"2.0": {"recall": {"1": 0.5, "2": 0.9}}}}, "overlay": {}}
    asked = []

    def benchmark(*given):
        asked.append(given[:5])
        return report

    monkeypatch.setattr("ml.layering.benchmark.benchmark", benchmark)
    config = dg.RunConfig(ops={"layering_benchmark": Benchmark(hours=0.1, streams=1, quiet=2, seconds=600)})
    result = make(root, "layering_benchmark", date=None, experiment=None, run_config=config)
    assert asked == [(0.1, 1, 2, 600, ())]
    assert document(root, "layering_benchmark") == report
    assert shown(result, "layering_benchmark")["recall"].value == 0.9
    assert drawn(result, "layering_benchmark", "recall by size")[0].startswith(b"\x89PNG")
