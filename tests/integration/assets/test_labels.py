"""The label table as Dagster materializes it."""

import polars as pl

from ml.core.config import HORIZONS
from ml.labels.future import coverage
from ml.storage.commit import manifest
from ml.tables.schemas import label_schema
from ml.tables.spec import conform
from tests.integration.assets.play import checks, drawn, made, make, shown, spoil, stored


def test_a_rebuilt_day_has_the_same_bytes(rebuilt, ingested):
    """The documented columns, one row a sample."""
    root, _ = rebuilt
    labels = conform(stored(root, "future_labels"), label_schema(), "future_labels")
    assert manifest(root, "future_labels") == manifest(ingested, "future_labels")
    assert labels["ts"].equals(stored(root, "book_samples")["ts"])


def test_a_person_sees_coverage_reasons_and_classes(rebuilt):
    """The shares are those of the stored table, the reasons count its nulls, the classes are drawn."""
    root, result = rebuilt
    metadata = shown(result, "future_labels")
    labels = stored(root, "future_labels")
    assert metadata["coverage"].value == coverage(labels)
    nulls = {f"{h}s": labels[f"movement_{h}s"].null_count() for h in HORIZONS}
    assert {h: sum(reasons.values()) for h, reasons in metadata["rows without label"].value.items()} == nulls
    assert drawn(result, "future_labels", "classes")[0].startswith(b"\x89PNG")


def test_a_day_without_labels_warns_and_is_kept(root):
    """Where the book was never known nothing can be labelled: a warning, and the rows stay with their reason."""
    spoil(root, "book_samples", lambda f: f.with_columns(valid=False))
    result = make(root, "future_labels", "training_features")
    assert not checks(result)["future_labels", "labelled"]
    assert made(result) == {"future_labels", "training_features"}
    labels = stored(root, "future_labels")
    assert labels.select(pl.col("^movement_.*$").null_count()).row(0) == (labels.height,) * len(HORIZONS)
