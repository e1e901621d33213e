"""From evidence to a decision in force: what is asked, what is on record, and who is the rival."""

import subprocess
import sys
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from shutil import copytree

import numpy as np
import polars as pl
import pytest

from ml import decisions, promotion
from ml.config import Config
from ml.datasets.panel import Selection
from ml.evaluation import gates, walk_forward
from ml.evaluation.canaries import Canary
from ml.evaluation.latency import Latency
from ml.features.sets import BASE
from ml.labels.spec import LabelSpec
from ml.market import layout
from ml.market.tables import samples_frame
from ml.models.lightgbm import DirectionModel
from ml.paths import FEATURE_GROUP, DataRoot
from ml.promotion import Evidence, decide
from ml.registry import Registry
from ml.schemas import HORIZONS
from ml.simulation.instrument import INSTRUMENT
from ml.store import publish
from ml.training.candidate import train

DATE, ROWS, SECOND = "2025-03-03", 12_000, 10**9
START = 1_741_000_000 * SECOND
LISTED = Config(Path(), date(2025, 3, 3), date(2025, 3, 3), (INSTRUMENT,))
TUNED = {"params": {"num_leaves": 4, "min_data_in_leaf": 200, "learning_rate": 0.2}, "rounds": 12}
TUNED |= {"n_trials": 8, "baseline": "logistic_imbalance"}
SPEC = asdict(LabelSpec(10, 1.0, 0.5, 0.45, 4_000, START + 4_000 * SECOND))
PARITY = {"rows": ROWS, "rows_with_values": ROWS, "mismatches": 0, "first_mismatch": ""}


def panel(skill):
    """A panel whose direction follows the size of a feature, not its sign: no line through it helps."""
    rng = np.random.default_rng(4)
    features = rng.normal(size=(ROWS, len(BASE.columns)))
    score = skill * (np.abs(features[:, 0]) - 0.8) + rng.normal(size=ROWS)
    direction = np.digitize(score, [-0.5, 0.5]).astype(np.int8)
    ts = START + SECOND * np.arange(ROWS)
    given = {"movement": (direction - 1) * 1e-4, "half_spread": np.full(ROWS, 1e-5), "sigma": np.full(ROWS, 1e-4)}
    given |= {"label_start": ts, "label_end": ts + 10 * SECOND, "direction": direction}
    columns = dict(zip(BASE.columns, features.T, strict=True))
    return pl.DataFrame({"instrument": [INSTRUMENT.id] * ROWS, "ts": ts} | columns | given)


def made(root: DataRoot, skill: float) -> Evidence:
    """Everything that a decision reads, stored below the root, and the evidence for its candidate."""
    rows = panel(skill)
    labelled = rows.select("ts", *BASE.columns, *(pl.col("movement").alias(f"movement_{h}s") for h in HORIZONS))
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, DATE, INSTRUMENT.id), labelled, "")
    samples = samples_frame(np.zeros((1, layout.COLUMNS), np.int64))
    publish(root, "book_samples", root.partition("book_samples", DATE, INSTRUMENT.id), samples, "")
    predictions = walk_forward.panel_predictions(rows, TUNED, 1)
    for table, frame in (("dataset_panel", rows), ("fold_predictions", predictions)):
        publish(root, table, root.whole(table), frame, "")
    canary = vars(Canary("truncation", True, 0.0, 0.0, ""))
    return Evidence(Selection(), SPEC, TUNED, predictions, train(root, rows, SPEC, TUNED, 1), [canary], PARITY)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data root with skill in it, one without, and the evidence of each."""
    return [(root, made(root, skill)) for skill in (2.0, 0.0) for root in [DataRoot(tmp_path_factory.mktemp("root"))]]


MEASURE = promotion.latency.measure


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Each decision takes a millisecond of the processor, and longer on the clock than the gate would allow."""
    monkeypatch.setattr(promotion.latency, "measure", lambda *_: Latency(1.0, 40.0))


@pytest.fixture
def skilled(prepared, tmp_path, made_store):
    """A root of its own with skill in it, its registry, and the evidence."""
    return opened(prepared[0], tmp_path, made_store)


def opened(one, folder, made_store):
    root = DataRoot(folder / "copy")
    copytree(one[0].root, root.root)
    copytree(made_store, root.mlflow)
    return root, Registry(root), one[1]


def outcomes(record):
    return {gate["name"]: gate["outcome"] for gate in record["gates"]}


def test_skill_is_promoted_and_the_record_says_on_what(skilled):
    """All required gates pass; model, data, code and every number are on record."""
    root, registry, evidence = skilled
    record = decide(root, LISTED, registry, evidence)
    assert {gate["outcome"] for gate in record["gates"] if gate["required"]} == {"pass"}
    assert (record["decision"], registry.champion()) == ("promote", evidence.model_id)
    assert (record["candidate"], record["champion_before"], record["trials"]) == (evidence.model_id, None, 8)
    assert (record["feature_set"]["hash"], record["code_version"]) == (BASE.hash, BASE.code_version)
    assert decisions.verify(root) == 1
    run = registry.client.get_run(record["mlflow_run"])
    assert run.data.metrics["improvement"] == next(g["value"] for g in record["gates"] if g["name"] == "improvement")
    assert (run.data.params["trials"], run.data.tags["dataset_id"]) == ("8", record["dataset_id"])


def test_no_skill_is_not_promoted(prepared, tmp_path, made_store):
    """A model on noise gains nothing on the baselines."""
    root, registry, evidence = opened(prepared[1], tmp_path, made_store)
    record = decide(root, LISTED, registry, evidence)
    assert outcomes(record)["improvement"] != "pass"
    assert (record["decision"] != "promote", registry.champion()) == (True, None)


DEAD = [vars(Canary("null_market", False, 0.6, 0.05, ""))]
CHANGES = {
    "canaries": ({"canaries": DEAD}, "refuse"),
    "parity": ({"parity": PARITY | {"mismatches": 1}}, "refuse"),
    "rows": ({}, "insufficient"),
    "coverage": ({}, "refuse"),
    "latency": ({}, "refuse"),
}


@pytest.mark.parametrize("gate", CHANGES)
def test_one_gate_that_does_not_pass_holds_back_a_skilled_model(skilled, monkeypatch, gate):
    """A dead canary, a live row that differs, too few rows or labels, or a slow answer."""
    root, registry, evidence = skilled
    change, decision = CHANGES[gate]
    if gate == "rows":
        monkeypatch.setattr(promotion.gates, "MIN_ROWS", ROWS + 1)
    if gate == "latency":
        monkeypatch.setattr(promotion.latency, "measure", lambda *_: Latency(9.0, 9.0))
    if gate == "coverage":
        part = root.partition(FEATURE_GROUP, DATE, INSTRUMENT.id)
        few = pl.read_parquet(part).with_columns(pl.col("movement_10s").replace(0.0, None))
        publish(root, FEATURE_GROUP, part, few, "")
    record = decide(root, LISTED, registry, replace(evidence, **change))
    assert {name for name, outcome in outcomes(record).items() if outcome != "pass"} - {"sharpe", "slices"} == {gate}
    assert (record["decision"], registry.champion()) == (decision, None)


def test_without_a_candidate_every_question_about_it_is_insufficient(skilled):
    """Too few rows to train: an honest record, and no run."""
    root, registry, evidence = skilled
    record = decide(root, LISTED, registry, replace(evidence, model_id=None, tuned={}, label_spec={}))
    assert [outcomes(record)[name] for name in gates.MODEL_BARS] == ["insufficient"] * 5
    assert {gate["name"]: gate["threshold"] for gate in record["gates"]}.items() >= gates.MODEL_BARS.items()
    assert (record["decision"], record["candidate"], record["mlflow_run"]) == ("insufficient", None, None)


def test_the_same_evidence_is_decided_once(skilled, monkeypatch):
    """Deciding again, on a slower machine too, gives the record there is; other canaries are other evidence."""
    root, registry, evidence = skilled
    first = decide(root, LISTED, registry, evidence)
    monkeypatch.setattr(promotion.latency, "measure", lambda *_: Latency(9.0, 9.0))
    assert decide(root, LISTED, registry, evidence) == first
    assert decisions.verify(root) == 1
    assert decide(root, LISTED, registry, replace(evidence, canaries=DEAD))["number"] == 2


def test_a_refusal_for_time_alone_is_measured_again(skilled, monkeypatch):
    """It is on record, and so is the promotion of the same evidence that follows; any other refusal stands."""
    root, registry, evidence = skilled
    refused = []
    for measured in (9.0, 1.0):
        monkeypatch.setattr(promotion.latency, "measure", lambda *_, ms=measured: Latency(ms, 9.0))
        refused.append(decide(root, LISTED, registry, evidence))
    assert [record["decision"] for record in refused] == ["refuse", "promote"]
    assert refused[0]["evidence"] == refused[1]["evidence"]
    assert (decisions.verify(root), registry.champion()) == (2, evidence.model_id)


def test_a_refusal_for_time_and_for_another_reason_stands(skilled, monkeypatch):
    """A quicker machine brings nothing where a canary died."""
    root, registry, evidence = skilled
    evidence = replace(evidence, canaries=DEAD)
    monkeypatch.setattr(promotion.latency, "measure", lambda *_: Latency(9.0, 9.0))
    refused = decide(root, LISTED, registry, evidence)
    monkeypatch.setattr(promotion.latency, "measure", lambda *_: Latency(1.0, 9.0))
    assert decide(root, LISTED, registry, evidence) == refused


@pytest.fixture
def busy_machine():
    """Four processes that use all they get of the processors."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.mark.usefixtures("busy_machine")
def test_on_a_busy_machine_twice_the_work_fails_and_the_same_work_passes(skilled, monkeypatch):
    """The bar is set by what the model takes on this machine; only the latency gate notices a model twice as slow."""
    root, registry, evidence = skilled
    model, samples = promotion.load(root.model(evidence.model_id)), np.zeros((1, layout.COLUMNS), np.int64)
    monkeypatch.setattr(promotion.latency, "measure", MEASURE)
    usual = MEASURE(model, samples, INSTRUMENT).processor_ms
    monkeypatch.setattr(promotion.gates, "MAX_P99_MS", 1.4 * usual)
    once = DirectionModel.probabilities

    def twice(model, features):
        once(model, features)
        return once(model, features)

    with monkeypatch.context() as patch:
        patch.setattr(DirectionModel, "probabilities", twice)
        slow = decide(root, LISTED, registry, evidence)
    assert [gate["name"] for gate in slow["gates"] if gate["outcome"] == "fail"] == ["latency"]
    assert slow["decision"] == "refuse"
    assert decide(root, LISTED, registry, evidence)["decision"] == "promote"


def test_the_rival_of_a_later_model_is_the_champion_on_rows_it_never_saw(skilled):
    """The champion is judged on the test rows from its last label's end on, and on no other."""
    root, registry, evidence = skilled
    early = panel(2.0).head(9_000)
    champion = train(root, early, SPEC, TUNED, 1)
    decide(root, LISTED, registry, replace(evidence, model_id=champion))
    test = evidence.predictions.filter(pl.col("part") == "test")
    rival, rows = promotion._rival(root, registry, test)
    assert rows["ts"].min() == early["label_end"].max()
    assert rival.name == f"champion {champion}"
    assert len(rival.predicted) == rows.height
    model = registry.load()
    seen = panel(2.0).filter(pl.col("ts").is_in(rows["ts"].implode())).select(BASE.columns).to_numpy()
    np.testing.assert_array_equal(rival.predicted, model.directions(model.probabilities(seen)))


def test_a_model_as_good_as_the_champion_does_not_replace_it(skilled):
    """The newest never wins by being newest: equal answers are no gain."""
    root, registry, evidence = skilled
    champion = train(root, panel(2.0).head(9_000), SPEC, TUNED, 1)
    decide(root, LISTED, registry, replace(evidence, model_id=champion))
    record = decide(root, LISTED, registry, evidence)
    assert record["champion_before"] == champion == registry.champion()
    assert outcomes(record)["improvement"] != "pass"
    assert decisions.verify(root) == 2


def test_a_candidate_that_reads_back_otherwise_is_counted(skilled, monkeypatch):
    """Rows on which the stored model answers otherwise; nothing stays in the staging folder."""
    root, _, evidence = skilled
    model = promotion.load(root.model(evidence.model_id))
    assert promotion._reload_differences(root, model) == 0
    other = promotion.load(root.model(train(root, panel(0.0), SPEC, TUNED, 1)))
    monkeypatch.setattr(promotion, "load", lambda _: other)
    assert promotion._reload_differences(root, model) == 1_000
    assert list(root.staging.glob("reload-*")) == []
