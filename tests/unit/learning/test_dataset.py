"""Which rows may train, and the id that follows from their content."""

import polars as pl
import pytest

from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP
from ml.features.sets import BASE
from ml.labels.spec import LabelSpec
from ml.learning import dataset
from ml.learning.dataset import Selection
from ml.storage.commit import publish

SPEC = LabelSpec(10, 1.0, 0.5, 0.45, 100, 5)


def stored(root, date="2025-01-01", instrument="sim.X", n=200, seed=0):
    """A stored partition of training features."""
    columns = {name: [float((k * 7 + i + seed) % 11) for k in range(n)] for i, name in enumerate(BASE.columns)}
    frame = pl.DataFrame({"instrument": [instrument] * n, "ts": range(n)} | columns).with_columns(
        half_spread=pl.lit(1e-6),
        movement_10s=pl.Series([((k % 5) - 2) * 1e-4 if k % 10 else None for k in range(n)]),
        sigma_10s=pl.lit(1e-4),
        label_end_10s=pl.col("ts") + 10,
    )
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, date, instrument), frame, "")
    return frame


def test_only_whole_labelled_rows_enter(root):
    """A null feature or label keeps a row out; nothing else does."""
    stored(root)
    rows = dataset.read_rows(root, Selection().entries(root))
    built = dataset.build(
        rows.with_columns(qi_1=pl.when(pl.col("ts") == 3).then(None).otherwise(pl.col("qi_1"))), SPEC, BASE
    )
    assert built.height == 200 - 20 - 1
    assert not built.null_count().sum_horizontal().item()
    assert built["direction"].dtype == pl.Int8
    assert dataset.build(rows, None, BASE).is_empty()


def test_the_id_follows_from_content_and_specs_alone(root):
    """The same files and specs give the same id; another byte, spec or file gives another."""
    stored(root)
    entries = Selection().entries(root)
    name = dataset.dataset_id(entries, SPEC, BASE)
    assert dataset.dataset_id(Selection().entries(root), SPEC, BASE) == name
    assert dataset.dataset_id(entries, LabelSpec(10, 1.0, 0.6, 0.45, 100, 5), BASE) != name
    stored(root, date="2025-01-02")
    assert dataset.dataset_id(Selection().entries(root), SPEC, BASE) != name
    stored(root, seed=1)
    assert dataset.dataset_id(Selection(end="2025-01-01").entries(root), SPEC, BASE) != name


def test_a_selection_picks_dates_and_instruments(root):
    """Bounds are inclusive; an empty selection is an error."""
    for date in ("2025-01-01", "2025-01-02", "2025-01-03"):
        for instrument in ("sim.X", "sim.Y"):
            stored(root, date, instrument, n=1)
    picked = Selection("2025-01-02", "2025-01-03", ("sim.Y",)).entries(root)
    assert [e.path.split("/")[-2:] for e in picked] == [
        [f"date=2025-01-0{d}", "features_sim.Y.parquet"] for d in (2, 3)
    ]
    with pytest.raises(DatasetError, match="Materialize"):
        Selection("2026-01-01").entries(root)


def test_the_first_block_is_the_first_share_of_labelled_rows(root):
    """By time; rows without label do not count."""
    rows = stored(root)
    block = dataset.first_block(rows, 0.5)
    assert block.height == 90
    assert block["ts"].max() < rows.drop_nulls("movement_10s")["ts"][90]


def test_a_spec_needs_enough_rows(root):
    """A threshold from a handful of rows would be noise."""
    stored(root, n=100)
    assert dataset.fit_spec(root, Selection()) is None
    stored(root, n=2_000)
    assert dataset.fit_spec(root, Selection()).rows == pytest.approx(720, abs=2)
