"""The decision as Dagster materializes it."""

import dagster as dg
import polars as pl
import pytest

from assets.datasets import Dataset
from ml.core.errors import DatasetError
from ml.promotion.registry import Registry
from ml.storage import decisions
from tests.integration.assets.play import DATE, copy_of, document, lines, make, shown, spoil

SELECTING = ("label_spec", "dataset_panel")


def test_what_passes_every_gate_is_champion(learned):
    """The record is the journal's last, and the registry serves the candidate."""
    root, _ = learned
    record = document(root, "promotion_decision")
    assert {g["outcome"] for g in record["gates"] if g["required"]} == {"pass"}
    assert record["decision"] == "promote"
    assert decisions.read(root, decisions.journal(root)[-1]) == record
    registry = Registry(root)
    assert registry.champion() == registry.load().id == document(root, "candidate_model")["model_id"]


def test_a_person_sees_every_gate(learned):
    """The verdict, a line per gate, and the record's hash."""
    root, result = learned
    metadata = shown(result, "promotion_decision")
    record = document(root, "promotion_decision")
    assert metadata["decision"].value == record["decision"]
    assert metadata["record"].value == record["hash"]
    told = [(line["name"], line["outcome"]) for line in lines(result, "promotion_decision", "gates")]
    assert told == [(gate["name"], gate["outcome"]) for gate in record["gates"]]


def test_the_same_evidence_is_decided_once(learned, tmp_path):
    """Materialized again, the decision is the record there is; the chain does not grow."""
    root = copy_of(learned[0], tmp_path)
    before = document(root, "promotion_decision")
    make(root, "promotion_decision", date=None)
    assert document(root, "promotion_decision") == before
    assert decisions.verify(root) == 1


def test_a_backfill_between_panel_and_decision_changes_nothing_in_the_record(learned, tmp_path):
    """A day is stored again without labels after the panel was made: the record stays that of the panel's data."""
    root = copy_of(learned[0], tmp_path)
    before = document(root, "promotion_decision")
    spoil(root, "training_features", lambda rows: rows.with_columns(movement_10s=pl.lit(None, pl.Float64)))
    make(root, "promotion_decision", date=None)
    assert document(root, "promotion_decision") == before
    make(root, "dataset_panel", date=None)
    with pytest.raises(DatasetError, match="Materialize the candidate again"):
        make(root, "promotion_decision", date=None)


def test_too_little_data_promotes_nothing(learned, tmp_path, monkeypatch):
    """On forty minutes: no candidate, insufficient, how much is missing, and the champion stays."""
    from pipelines.jobs import learn

    root = copy_of(learned[0], tmp_path)
    monkeypatch.setattr("ml.evaluation.verdict.STRONG_ROUNDS", 5)
    config = dg.RunConfig(ops={name: Dataset(start=DATE) for name in SELECTING})
    make(root, learn.selection, date=None, run_config=config)
    record = document(root, "promotion_decision")
    assert (record["decision"], record["candidate"], record["trials"]) == ("insufficient", None, 0)
    (rows,) = [gate for gate in record["gates"] if gate["name"] == "rows"]
    assert rows["outcome"] == "insufficient"
    assert "h more" in rows["detail"]
    assert (
        decisions.journal(root)[-1].champion
        == record["champion_before"]
        == document(learned[0], "candidate_model")["model_id"]
    )


def test_a_changed_record_is_refused(learned, tmp_path):
    """Evidence that was touched after the decision is no evidence."""
    from ml.core.errors import RegistryError

    root = copy_of(learned[0], tmp_path)
    (path,) = root.decisions.glob("000001-*.json")
    path.write_text(path.read_text().replace('"promote"', '"refuse"'))
    with pytest.raises(RegistryError, match="changed after the decision"):
        make(root, "promotion_decision", date=None)
