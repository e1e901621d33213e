"""From evidence to a decision in force: what is asked, what is on record, and who is the rival."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from shutil import copytree

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import balanced_accuracy_score

from ml.core.config import HORIZONS, Config
from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.evaluation import gates, holdout
from ml.evaluation.backtest_report import BacktestReport, Execution
from ml.evaluation.findings import Canary, ParityReport
from ml.evaluation.latency import Latency
from ml.features.sets import BASE
from ml.labels.spec import LabelSpec
from ml.learning import walk_forward
from ml.learning.candidate import Candidate, train
from ml.learning.dataset import PanelRecord, Selection, dataset_id
from ml.learning.experiment import DEFAULT
from ml.learning.models.lightgbm import Trees
from ml.learning.models.trained import TrainedModel
from ml.learning.rows import Rows
from ml.market.book import layout
from ml.market.days.tables import samples_frame
from ml.promotion import deployment
from ml.promotion.deployment import Evidence, decide
from ml.promotion.registry import Registry
from ml.promotion.rivals import rival_of
from ml.simulation.instrument import INSTRUMENT
from ml.storage import decisions
from ml.storage.commit import publish
from ml.storage.parquet import Parts
from tests.support.panels import tuned

DATE = "2025-03-03"
ROWS = 12_000
SECOND = 10**9
START = 1_741_000_000 * SECOND
LISTED = Config(Path(), date(2025, 3, 3), date(2025, 3, 3), (INSTRUMENT,))
TUNED = tuned(12, num_leaves=4, min_data_in_leaf=200, learning_rate=0.2)
LABEL_SPEC = LabelSpec(10, 1.0, 0.5, 0.45, 4_000, START + 4_000 * SECOND)
PARITY = ParityReport(ROWS, ROWS, 0, "")


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


def arrays(frame):
    return Rows.of(frame, BASE.columns)


def made(root: DataRoot, skill: float) -> Evidence:
    """Everything that a decision reads, stored below the root, and the evidence for its candidate."""
    rows = panel(skill)
    labelled = rows.select("ts", *BASE.columns, *(pl.col("movement").alias(f"movement_{h}s") for h in HORIZONS))
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, DATE, INSTRUMENT.id), labelled, "")
    samples = samples_frame(np.zeros((1, layout.COLUMNS), np.int64))
    publish(root, "book_samples", root.partition("book_samples", DATE, INSTRUMENT.id), samples, "")
    sources = tuple(Selection().sources(root))
    identity = dataset_id(sources, LABEL_SPEC, DEFAULT)
    shares = {f"{DATE}|{INSTRUMENT.id}": (1.0, ROWS)}
    record = PanelRecord(identity, sources, LABEL_SPEC, DEFAULT, BASE.hash, shares, {})
    predictions = walk_forward.panel_predictions(arrays(rows), TUNED, 1)
    publish(root, "dataset_panel", root.whole("dataset_panel"), Parts(rows.schema, [rows], notes=record.note()), "")
    told = publish(root, "fold_predictions", root.whole("fold_predictions"), predictions, "")
    canary = Canary("truncation", True, 0.0, 0.0, "")
    candidate = Candidate(train(root, arrays(rows), DEFAULT, LABEL_SPEC, TUNED, 1), identity)
    nothing_traded = BacktestReport(told.sha256, "logistic_imbalance", Execution())
    return Evidence(record, TUNED, predictions, candidate, [canary], PARITY, nothing_traded)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data root with skill in it, one without, and the evidence of each."""
    return [(root, made(root, skill)) for skill in (2.0, 0.0) for root in [DataRoot(tmp_path_factory.mktemp("root"))]]


MEASURE = deployment.latency.measure


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Each decision takes a millisecond of the processor, and longer on the clock than the gate would allow."""
    monkeypatch.setattr(deployment.latency, "measure", lambda *_: Latency(1.0, 40.0))


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
    assert (record["decision"], registry.champion()) == ("promote", evidence.candidate.model_id)
    assert (record["candidate"], record["champion_before"], record["trials"]) == (evidence.candidate.model_id, None, 8)
    assert (record["feature_set"]["hash"], record["code_version"]) == (BASE.hash, BASE.code_version)
    assert decisions.verify(root) == 1
    run = registry.client.get_run(record["mlflow_run"])
    assert run.data.metrics["improvement"] == next(g["value"] for g in record["gates"] if g["name"] == "improvement")
    assert (run.data.params["trials"], run.data.tags["dataset_id"]) == ("8", record["dataset_id"])


def test_a_backfill_after_the_panel_changes_nothing_in_the_record(skilled):
    """A day is stored again with fewer labels and another is added: the record is of the data that the model saw."""
    root, registry, evidence = skilled
    before = evidence.panel
    rows = pl.read_parquet(root.partition(FEATURE_GROUP, DATE, INSTRUMENT.id))
    few = rows.with_columns(pl.col("movement_10s").replace(0.0, None))
    for day in (DATE, "2025-03-09"):
        publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, day, INSTRUMENT.id), few, "")
    record = decide(root, LISTED, registry, evidence)
    assert record["dataset_id"] == before.dataset_id != dataset_id(Selection().sources(root), LABEL_SPEC, DEFAULT)
    (coverage,) = [gate for gate in record["gates"] if gate["name"] == "coverage"]
    assert (coverage["value"], coverage["detail"]) == (1.0, f"lowest: {DATE}|{INSTRUMENT.id}, {ROWS} rows")
    assert record["decision"] == "promote"


def test_a_candidate_of_another_panel_is_an_error(skilled):
    """The panel was made again after the candidate was trained: nothing is decided."""
    root, registry, evidence = skilled
    with pytest.raises(DatasetError, match="Materialize the candidate again"):
        decide(root, LISTED, registry, replace(evidence, panel=replace(evidence.panel, dataset_id="other")))
    assert not decisions.journal(root)


def test_no_skill_is_not_promoted(prepared, tmp_path, made_store):
    """A model on noise gains nothing on the baselines."""
    root, registry, evidence = opened(prepared[1], tmp_path, made_store)
    record = decide(root, LISTED, registry, evidence)
    assert outcomes(record)["improvement"] != "pass"
    assert (record["decision"] != "promote", registry.champion()) == (True, None)


DEAD = [Canary("null_market", False, 0.6, 0.05, "")]
CHANGES = {
    "canaries": ({"canaries": DEAD}, "refuse"),
    "parity": ({"parity": replace(PARITY, mismatches=1)}, "refuse"),
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
        monkeypatch.setattr(deployment.gates, "MIN_ROWS", ROWS + 1)
    if gate == "coverage":
        few = {f"{DATE}|{INSTRUMENT.id}": (0.5, ROWS)}
        change = {"panel": replace(evidence.panel, label_coverage=few)}
    if gate == "latency":
        monkeypatch.setattr(deployment.latency, "measure", lambda *_: Latency(9.0, 9.0))
    record = decide(root, LISTED, registry, replace(evidence, **change))
    assert {name for name, outcome in outcomes(record).items() if outcome != "pass"} - {"sharpe", "slices"} == {gate}
    assert (record["decision"], registry.champion()) == (decision, None)


def test_without_a_candidate_every_question_about_it_is_insufficient(skilled):
    """Too few rows to train: an honest record, and no run."""
    root, registry, evidence = skilled
    none = Candidate(None, evidence.panel.dataset_id)
    panel_of_few = replace(evidence.panel, label_spec=None)
    record = decide(root, LISTED, registry, replace(evidence, candidate=none, tuned=None, panel=panel_of_few))
    assert [outcomes(record)[name] for name in gates.MODEL_THRESHOLDS] == ["insufficient"] * 6
    assert {gate["name"]: gate["threshold"] for gate in record["gates"]}.items() >= gates.MODEL_THRESHOLDS.items()
    assert (record["decision"], record["candidate"], record["mlflow_run"]) == ("insufficient", None, None)


def test_the_same_evidence_is_decided_once(skilled, monkeypatch):
    """Deciding again, on a slower machine too, gives the record there is; other canaries are other evidence."""
    root, registry, evidence = skilled
    first = decide(root, LISTED, registry, evidence)
    monkeypatch.setattr(deployment.latency, "measure", lambda *_: Latency(9.0, 9.0))
    assert decide(root, LISTED, registry, evidence) == first
    assert decisions.verify(root) == 1
    assert decide(root, LISTED, registry, replace(evidence, canaries=DEAD))["number"] == 2


def test_a_refusal_for_time_alone_is_measured_again(skilled, monkeypatch):
    """It is on record, and so is the promotion of the same evidence that follows; any other refusal stands."""
    root, registry, evidence = skilled
    refused = []
    for measured in (9.0, 1.0):
        monkeypatch.setattr(deployment.latency, "measure", lambda *_, ms=measured: Latency(ms, 9.0))
        refused.append(decide(root, LISTED, registry, evidence))
    assert [record["decision"] for record in refused] == ["refuse", "promote"]
    assert refused[0]["evidence"] == refused[1]["evidence"]
    assert (decisions.verify(root), registry.champion()) == (2, evidence.candidate.model_id)


def test_a_refusal_for_time_and_for_another_reason_stands(skilled, monkeypatch):
    """A quicker machine brings nothing where a canary died."""
    root, registry, evidence = skilled
    evidence = replace(evidence, canaries=DEAD)
    monkeypatch.setattr(deployment.latency, "measure", lambda *_: Latency(9.0, 9.0))
    refused = decide(root, LISTED, registry, evidence)
    monkeypatch.setattr(deployment.latency, "measure", lambda *_: Latency(1.0, 9.0))
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
def test_on_a_busy_machine_more_work_fails_and_the_same_work_passes(skilled, monkeypatch):
    """The threshold follows from what the model takes on this machine; only the latency gate notices a slower model.

    Sixty answers to a row against a threshold of 2.5 leave room for what other processes cost.
    """
    root, registry, evidence = skilled
    model = deployment.load(root.model(evidence.candidate.model_id))
    samples = np.zeros((1, layout.COLUMNS), np.int64)
    monkeypatch.setattr(deployment.latency, "measure", MEASURE)
    usual = MEASURE(model, samples, INSTRUMENT).processor_ms
    monkeypatch.setattr(deployment.gates, "MAX_P99_MS", 2.5 * usual)
    once = TrainedModel.probabilities

    def slower(model, features):
        for _ in range(60):
            once(model, features)
        return once(model, features)

    with monkeypatch.context() as patch:
        patch.setattr(TrainedModel, "probabilities", slower)
        slow = decide(root, LISTED, registry, evidence)
    assert [gate["name"] for gate in slow["gates"] if gate["outcome"] == "fail"] == ["latency"]
    assert slow["decision"] == "refuse"
    assert decide(root, LISTED, registry, evidence)["decision"] == "promote"


def test_the_rival_of_a_later_model_is_the_champion_on_rows_it_never_saw(skilled):
    """The champion is judged on the test rows from its last label's end on, and on no other."""
    root, registry, evidence = skilled
    early = panel(2.0).head(9_000)
    champion = train(root, arrays(early), DEFAULT, LABEL_SPEC, TUNED, 1)
    decide(root, LISTED, registry, replace(evidence, candidate=replace(evidence.candidate, model_id=champion)))
    test = evidence.predictions.filter(pl.col("part") == "test")
    rival, rows = rival_of(root, registry, DEFAULT, TUNED, test)
    assert rows["ts"].min() == early["label_end"].max()
    assert rival.name == f"champion {champion}"
    assert len(rival.predicted) == rows.height
    model = registry.load()
    seen = panel(2.0).filter(pl.col("ts").is_in(rows["ts"].implode())).select(BASE.columns).to_numpy()
    np.testing.assert_array_equal(rival.predicted, model.directions(model.probabilities(seen)))


def test_a_model_as_good_as_the_champion_does_not_replace_it(skilled):
    """The newest never wins by being newest: equal answers are no gain."""
    root, registry, evidence = skilled
    champion = train(root, arrays(panel(2.0).head(9_000)), DEFAULT, LABEL_SPEC, TUNED, 1)
    decide(root, LISTED, registry, replace(evidence, candidate=replace(evidence.candidate, model_id=champion)))
    record = decide(root, LISTED, registry, evidence)
    assert record["champion_before"] == champion == registry.champion()
    assert outcomes(record)["improvement"] != "pass"
    assert decisions.verify(root) == 2


@pytest.fixture
def passing(monkeypatch):
    """Every gate passes."""
    monkeypatch.setattr(deployment.gates, "decide", lambda gates: "promote")


def challenged(root, registry, evidence):
    """A champion, and the decision on a later model that the gates pass."""
    champion = train(root, arrays(panel(2.0).head(9_000)), DEFAULT, LABEL_SPEC, TUNED, 1)
    decide(root, LISTED, registry, replace(evidence, candidate=replace(evidence.candidate, model_id=champion)))
    return champion, decide(root, LISTED, registry, evidence, asked="ann")


def test_a_later_model_that_the_gates_pass_challenges_the_champion(skilled, passing):
    """It scores every row in shadow and serves none; the same evidence again is the same decision."""
    root, registry, evidence = skilled
    champion, record = challenged(root, registry, evidence)
    assert (record["decision"], record["asked"], record["waits_for"]) == ("challenge", "ann", None)
    assert (registry.champion(), registry.life().challenger) == (champion, evidence.candidate.model_id)
    assert registry.load("challenger").id == evidence.candidate.model_id
    assert decide(root, LISTED, registry, evidence) == record


def test_a_model_that_the_gates_pass_waits_for_the_end_of_a_challenge(skilled, passing):
    """On record as insufficient with whom it waits for; once that challenge has ended it is decided again."""
    root, registry, evidence = skilled
    _, record = challenged(root, registry, evidence)
    third = train(root, arrays(panel(2.0).head(9_500)), DEFAULT, LABEL_SPEC, TUNED, 1)
    later = replace(evidence, candidate=replace(evidence.candidate, model_id=third))
    waiting = decide(root, LISTED, registry, later)
    assert (waiting["decision"], waiting["waits_for"]) == ("insufficient", record["candidate"])
    assert decide(root, LISTED, registry, later) == waiting
    registry.retire(record["mlflow_version"], "ann", "")
    assert decide(root, LISTED, registry, later)["decision"] == "challenge"
    assert registry.life().challenger == third


# Predictions whose numbers are known: each gate must be asked with the input that it is about, and with no other.

SHARES = {"majority": 0.30, "last_direction": 0.42, "logistic_imbalance": 0.36}


def answers(direction, share):
    """The right class in a share of the rows, spread evenly over time, else the next class."""
    nth = np.arange(len(direction)) * 7_919 % 1_000
    return np.where(nth < 1_000 * share, direction, (direction + 1) % 3).astype(np.int8)


def saying(predicted, sure):
    """Probabilities that give the predicted class `sure`, and the other two what is left."""
    p = np.full((len(predicted), 3), (1 - sure) / 2)
    p[np.arange(len(predicted)), predicted] = sure
    return dict(zip(("p_down", "p_neutral", "p_up"), p.T, strict=True))


def known(evidence, train=(0.57, 0.57), test=(0.55, 0.55), shares=SHARES, chosen="logistic_imbalance"):
    """Evidence of a model that is right in a share of rows and says that it is sure in another; and of baselines."""
    parts = []
    for part, (right, sure) in (("train", train), ("test", test), ("sealed", test)):
        rows = evidence.predictions.filter(part=part)
        direction = rows["direction"].to_numpy()
        columns = {"predicted": answers(direction, right)} | saying(answers(direction, right), sure)
        if part != "train":
            columns |= {name: answers(direction, share) for name, share in shares.items()}
        parts.append(rows.with_columns(**{name: pl.Series(values) for name, values in columns.items()}))
    return replace(evidence, predictions=pl.concat(parts), tuned=replace(evidence.tuned, baseline=chosen))


def calibration_error(rows):
    """By the definition, bin after bin."""
    p = rows.select("p_down", "p_neutral", "p_up").to_numpy()
    happened = np.array([[k == direction for k in range(3)] for direction in rows["direction"]])
    total = 0.0
    for low in range(10):
        inside = (p * 10 >= low) & ((p * 10 < low + 1) | (low == 9))
        total += abs(p[inside].sum() - happened[inside].sum())
    return total / p.size


def accuracy(rows, column="predicted"):
    return balanced_accuracy_score(rows["direction"], rows[column])


def numbers(evidence):
    """The values of the required gates, each from its own input."""
    train, test, sealed = (evidence.predictions.filter(part=part) for part in ("train", "test", "sealed"))
    gaps = [accuracy(train.filter(fold=k)) - accuracy(test.filter(fold=k)) for k in range(5)]
    return {
        "coverage": 1.0,
        "rows": ROWS,
        "canaries": sum(not canary.passed for canary in evidence.canaries),
        "parity": evidence.parity.mismatches,
        "improvement": accuracy(test) - accuracy(test, evidence.tuned.baseline),
        "holdout": accuracy(sealed) - accuracy(sealed, evidence.tuned.baseline),
        "slices": min(accuracy(part) - accuracy(part, evidence.tuned.baseline) for part in large_slices(test)),
        "train_val_gap": np.mean(gaps),
        "calibration": calibration_error(test),
        "latency": 1.0,
        "reload": 0,
    }


def large_slices(test):
    """The instrument, and each quarter of the UTC day with 5 000 rows: 500 labels of ten seconds."""
    quarters = test.with_columns(quarter=pl.from_epoch("ts", time_unit="ns").dt.hour() // 6).partition_by("quarter")
    return [part for part in (test, *quarters) if part.height >= 5_000]


def required(record):
    return {gate["name"]: gate for gate in record["gates"] if gate["required"]}


BROKEN = {
    "nothing": ({}, (), "pass"),
    "answers to the training rows": ({"train": (0.62, 0.57)}, ("train_val_gap",), "fail"),
    "probabilities of the training rows": ({"train": (0.57, 0.90)}, (), "pass"),
    "probabilities of the test rows": ({"test": (0.55, 0.80)}, ("calibration",), "fail"),
    "answers of the chosen baseline": (
        {"shares": SHARES | {"logistic_imbalance": 0.54}},
        ("improvement", "holdout", "slices"),
        "fail",
    ),
    "answers of the best other baseline": ({"shares": SHARES | {"last_direction": 0.99}}, (), "pass"),
    "answers of the worst other baseline": ({"shares": SHARES | {"majority": 0.01}}, (), "pass"),
    "the choice of the baseline": ({"chosen": "last_direction"}, ("improvement", "holdout", "slices"), "pass"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_each_gate_has_the_number_of_its_own_input(skilled, broken):
    """With one input broken, exactly the gate that is about it changes, and its number is right."""
    root, registry, evidence = skilled
    change, about, outcome = BROKEN[broken]
    given = known(evidence, **change)
    asked = required(decide(root, LISTED, registry, given))
    assert {name: gate["value"] for name, gate in asked.items()} == pytest.approx(numbers(given))
    usual = numbers(known(evidence))
    changed = {name for name, found in asked.items() if found["value"] != pytest.approx(usual[name])}
    assert changed == set(about)
    assert {name for name, found in asked.items() if found["outcome"] != "pass"} == (
        set() if outcome == "pass" else set(about[:1])
    )


@pytest.fixture
def lossy_save(monkeypatch, skilled):
    """Saving a model changes one leaf of its first tree; returns how many of the last rows of the panel reach it."""
    root, _, evidence = skilled
    model = deployment.load(root.model(evidence.candidate.model_id))
    save = TrainedModel.save
    text = model.model.booster.model_to_string()
    found = re.search(r"leaf_value=\S*?([1-9])", text)
    digit = str(int(found[1]) % 9 + 1)
    trees = lgb.Booster(model_str=text[: found.start(1)] + digit + text[found.end(1) :])
    other = TrainedModel(Trees(trees, model.model.used, model.model.priors), model.card)
    monkeypatch.setattr(TrainedModel, "save", lambda _, folder: save(other, folder))
    rows = panel(2.0).tail(1_000).select(BASE.columns).to_numpy()
    return int((model.probabilities(rows) != other.probabilities(rows)).any(axis=1).sum())


def test_a_model_that_reads_back_otherwise_is_refused_with_the_number_of_rows(skilled, lossy_save):
    """Only the gate about it fails."""
    root, registry, evidence = skilled
    asked = required(decide(root, LISTED, registry, known(evidence)))
    assert 0 < lossy_save < 1_000
    assert (asked["reload"]["value"], asked["reload"]["outcome"]) == (lossy_save, "fail")
    assert {name for name, gate in asked.items() if gate["outcome"] != "pass"} == {"reload"}


def champion_of(root, evidence):
    """A model that was trained before the first test row, and its probabilities and answers in the test rows."""
    model = deployment.load(root.model(train(root, arrays(panel(2.0).head(4_700)), DEFAULT, LABEL_SPEC, TUNED, 1)))
    test = evidence.predictions.filter(part="test")
    p = model.probabilities(panel(2.0).join(test, on="ts", how="semi").select(BASE.columns).to_numpy())
    said = dict(zip(("p_down", "p_neutral", "p_up"), p.T, strict=True))
    return model.id, test.with_columns(**said, predicted=pl.Series(model.directions(p)))


@pytest.mark.parametrize("above", [False, True])
def test_a_later_model_is_calibrated_against_the_champion(skilled, above):
    """At most one point worse than the champion on the same rows, whatever the first model may be."""
    root, registry, evidence = skilled
    champion, served = champion_of(root, evidence)
    decide(root, LISTED, registry, replace(known(evidence), candidate=replace(evidence.candidate, model_id=champion)))
    limit = calibration_error(served) + 0.01
    errors = {
        sure: calibration_error(known(evidence, test=(0.55, sure)).predictions.filter(part="test"))
        for sure in np.linspace(0.551, 0.799, 32)
    }
    near = min((e - limit, sure) if above else (limit - e, sure) for sure, e in errors.items() if (e > limit) == above)
    asked = required(decide(root, LISTED, registry, known(evidence, test=(0.55, near[1]))))["calibration"]
    assert asked["threshold"] == pytest.approx(limit)
    assert asked["value"] == pytest.approx(errors[near[1]])
    assert asked["outcome"] == ("fail" if above else "pass")
    assert (limit < 0.05 < asked["value"]) is False


def better_by_blocks(rival):
    """Answers better than the rival's by 5 points, but not in each block of ten minutes: 2.25 standard errors."""
    direction = rival["direction"].to_numpy()
    predicted = rival["predicted"].to_numpy().copy()
    at = np.arange(len(direction)) // 600
    spread = np.random.default_rng(2).permutation(np.linspace(-1, 1, at.max() + 1))
    gains = 0.05 + spread / spread.std() * 0.05 * np.sqrt(at.max() + 1) / 2.25
    for block, gain in enumerate(gains):
        wrong = np.flatnonzero((at == block) & ((predicted != direction) == (gain > 0)))
        chosen = wrong[:: max(len(wrong) // max(int(600 * abs(gain)), 1), 1)][: int(600 * abs(gain))]
        predicted[chosen] = direction[chosen] if gain > 0 else (direction[chosen] + 1) % 3
    return predicted


def bounds(direction, predicted, other, share):
    """By resampling blocks of 600 rows, row by row, with other random numbers than the product's."""
    blocks = np.array_split(np.arange(len(direction)), np.arange(600, len(direction), 600))
    rng = np.random.default_rng(5)
    gains = []
    for _ in range(3_000):
        rows = np.concatenate([blocks[k] for k in rng.integers(0, len(blocks), len(blocks))])
        one, two = ([(a[rows] == k)[direction[rows] == k].mean() for k in range(3)] for a in (predicted, other))
        gains.append(np.mean(one) - np.mean(two))
    return 100 * np.quantile(gains, [1 - share, share])


def test_the_first_model_is_judged_by_the_stricter_bound(skilled):
    """The same answers over the same rival: too little evidence for a first model, enough for a later one."""
    root, registry, evidence = skilled
    champion, served = champion_of(root, evidence)
    direction = served["direction"].to_numpy()
    other = served["predicted"].to_numpy()
    predicted = better_by_blocks(served)
    train_rows = known(evidence).predictions.filter(pl.col("part") != "test")
    test_rows = served.with_columns(predicted=pl.Series(predicted), logistic_imbalance=pl.Series(other))
    given = replace(evidence, predictions=pl.concat([train_rows, test_rows]))
    first = required(decide(root, LISTED, registry, given))["improvement"]
    decide(root, LISTED, registry, replace(known(evidence), candidate=replace(evidence.candidate, model_id=champion)))
    later = required(decide(root, LISTED, registry, given))["improvement"]
    for asked, share, outcome in ((first, 0.995, "insufficient"), (later, 0.975, "pass")):
        found = re.search(r"([\d.]+) % bounds ([-+.\d]+) to ([-+.\d]+) pp", asked["detail"])
        assert float(found[1]) == 100 * share
        expected = bounds(direction, predicted, other, share)
        assert [float(found[2]), float(found[3])] == pytest.approx(expected, abs=1.0)
        assert (asked["outcome"], asked["value"]) == (outcome, pytest.approx(first["value"]))
    assert later["detail"].startswith(f"over champion {champion}")


def test_a_candidate_that_reads_back_otherwise_is_counted(skilled, monkeypatch):
    """Rows on which the stored model answers otherwise; nothing stays in the staging folder."""
    root, _, evidence = skilled
    model = deployment.load(root.model(evidence.candidate.model_id))
    assert deployment._reload_differences(root, DEFAULT, model) == 0
    other = deployment.load(root.model(train(root, arrays(panel(0.0)), DEFAULT, LABEL_SPEC, TUNED, 1)))
    monkeypatch.setattr(deployment, "load", lambda _: other)
    assert deployment._reload_differences(root, DEFAULT, model) == 1_000
    assert list(root.staging.glob("reload-*")) == []


def gate_of(record, name):
    return next(gate for gate in record["gates"] if gate["name"] == name)


def test_sealed_rows_are_opened_once(skilled):
    """The look is on record; other predictions of the same rows are refused, the same ones are not opened again."""
    root, registry, evidence = skilled
    first = decide(root, LISTED, registry, evidence)
    assert gate_of(first, "holdout")["detail"].startswith("opening 1, 720 rows")
    (opening,) = holdout.openings(root, DEFAULT.name)
    assert (opening.candidate, opening.rows) == (evidence.candidate.model_id, 720)
    decide(root, LISTED, registry, replace(evidence, canaries=DEAD))
    assert len(holdout.openings(root, DEFAULT.name)) == 1
    other = evidence.predictions.with_columns(movement=pl.col("movement") * 2)
    told = publish(root, "fold_predictions", root.whole("fold_predictions"), other, "")
    report = replace(evidence.backtest, predictions_sha256=told.sha256)
    second = decide(root, LISTED, registry, replace(evidence, predictions=other, backtest=report))
    found = gate_of(second, "holdout")
    assert (found["outcome"], found["required"], second["decision"]) == ("fail", True, "refuse")
    assert found["detail"].startswith("opening 2: contaminated, another candidate was judged on all 720 sealed rows")


@pytest.mark.parametrize("table", ["fold_predictions", "dataset_panel"])
def test_a_gate_whose_file_is_not_the_one_on_record_fails(skilled, table):
    """The same rows written by somebody else: what was computed from them counts for nothing."""
    root, registry, evidence = skilled
    path = root.whole(table)
    pl.read_parquet(path).write_parquet(path)
    record = decide(root, LISTED, registry, evidence)
    of_file = {
        "fold_predictions": {"improvement", "holdout", "train_val_gap", "calibration", "sharpe", "slices"},
        "dataset_panel": {"coverage", "rows"},
    }[table]
    failed = {gate["name"] for gate in record["gates"] if gate["outcome"] == "fail"}
    assert (failed, record["decision"]) == (of_file, "refuse")
    assert "as on record: materialize its asset again" in gate_of(record, min(of_file))["detail"]


def test_a_gate_whose_file_is_missing_fails(skilled):
    """Nothing is believed of predictions that are gone."""
    root, registry, evidence = skilled
    root.whole("fold_predictions").unlink()
    record = decide(root, LISTED, registry, evidence)
    assert gate_of(record, "improvement")["detail"].endswith("is missing: materialize its asset again")
    assert record["decision"] == "refuse"


def test_a_backtest_of_other_predictions_fails(skilled):
    """The report must be of the predictions that are judged."""
    root, registry, evidence = skilled
    other = replace(evidence.backtest, predictions_sha256="0" * 64)
    record = decide(root, LISTED, registry, replace(evidence, backtest=other))
    assert gate_of(record, "sharpe")["outcome"] == "fail"
    assert record["decision"] == "refuse"
