"""Which rows may train, the id that follows from their content, and the record that lies in the panel."""

import datetime
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ml.core.config import Config
from ml.core.errors import DatasetError, StoreError
from ml.core.paths import FEATURE_GROUP
from ml.core.versions import PARTS_OF, code_version
from ml.features.pressure.table import NAMES
from ml.features.sets import BASE, WHOLE
from ml.labels.spec import LabelSpec
from ml.learning import dataset
from ml.learning.dataset import SECOND, PanelRecord, Selection
from ml.learning.experiment import DEFAULT, Experiment
from ml.storage.commit import publish, read
from ml.storage.parquet import Stored

ALL = Selection()
CONFIG = Config(Path(), datetime.date(2025, 1, 1), None, ())
SPEC = LabelSpec(10, 1.0, 0.5, 0.45, 100, 5)


def stored(root, date="2025-01-01", instrument="sim.X", n=200, seed=0, first=0):
    """A stored partition of training features."""
    columns = {name: [float((k * 7 + i + seed) % 11) for k in range(n)] for i, name in enumerate(BASE.columns)}
    frame = pl.DataFrame(
        {"instrument": [instrument] * n, "ts": [(first + k) * SECOND for k in range(n)]} | columns
    ).with_columns(
        half_spread=pl.lit(1e-6),
        movement_10s=pl.Series([((k % 5) - 2) * 1e-4 if k % 10 else None for k in range(n)]),
        sigma_10s=pl.lit(1e-4),
        label_end_10s=pl.col("ts") + 10 * SECOND,
    )
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, date, instrument), frame, "")
    return frame


def made(root, spec=SPEC, selection=ALL, row_spacing=1):
    """The stored panel of a selection and its record."""
    path = root.whole("dataset_panel")
    panel = dataset.panel(root, CONFIG, selection.sources(root), spec, replace(DEFAULT, row_spacing=row_spacing))
    publish(root, "dataset_panel", path, panel, "")
    return read(path).collect(), PanelRecord.of(Stored(path))


def test_only_whole_labelled_rows_enter(root):
    """A null feature or label keeps a row out; nothing else does."""
    rows = stored(root)
    hole = rows.with_columns(qi_1=pl.when(pl.col("ts") == 3 * SECOND).then(None).otherwise(pl.col("qi_1")))
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, "2025-01-01", "sim.X"), hole, "")
    built, _ = made(root)
    assert built.height == 200 - 20 - 1
    assert not built.null_count().sum_horizontal().item()
    assert built["direction"].dtype == pl.Int8
    assert {built[name].dtype for name in BASE.columns} == {pl.Float32}
    assert made(root, spec=None)[0].is_empty()


def test_rows_of_all_instruments_are_in_order_of_time(root):
    """Then of instrument; a date is complete before the next begins."""
    for date, first in (("2025-01-01", 0), ("2025-01-02", 200)):
        for instrument in ("sim.Y", "sim.X"):
            stored(root, date, instrument, first=first)
    built, record = made(root)
    assert built.height == 4 * 180
    assert built.equals(built.sort("ts", "instrument"))
    assert [(s.date, s.instrument) for s in record.sources] == [
        (f"2025-01-0{day}", f"sim.{name}") for day in (1, 2) for name in "XY"
    ]


def test_rows_may_lie_further_apart(root):
    """Ten seconds apart, on the grid of UTC; another spacing is another dataset."""
    rows = stored(root).filter(pl.col("ts") % (10 * SECOND) == 0)
    assert rows["movement_10s"].count() == 0
    built, record = made(root, row_spacing=4)
    assert built["ts"].unique().to_list() == [k * SECOND for k in range(0, 200, 4) if k % 10]
    assert record.experiment.row_spacing == 4
    assert record.dataset_id != made(root)[1].dataset_id


def test_columns_that_no_model_needs_are_not_read(root):
    """A column of another type, or none at all, changes nothing; a file without one that is needed gives no row."""
    rows = stored(root)
    before, _ = made(root)
    path = root.partition(FEATURE_GROUP, "2025-01-01", "sim.X")
    publish(root, FEATURE_GROUP, path, rows.with_columns(pl.lit("x").alias("movement_60s")), "")
    assert made(root)[0].equals(before)
    later = root.partition(FEATURE_GROUP, "2025-01-02", "sim.X")
    publish(root, FEATURE_GROUP, later, rows.drop("qi_1"), "")
    assert made(root)[0].equals(before)


def test_a_file_that_is_replaced_while_the_panel_is_made_is_an_error(root):
    """The id would be that of other rows."""
    stored(root)
    sources = ALL.sources(root)
    stored(root, seed=1)
    with pytest.raises(StoreError, match=r"features_sim\.X\.parquet was replaced"):
        list(dataset.panel(root, CONFIG, sources, SPEC, DEFAULT).frames)


def test_the_record_lies_in_the_panel(root):
    """What it was made of is read from the panel alone, whatever is stored afterwards."""
    stored(root)
    sources = tuple(ALL.sources(root))
    _, record = made(root)
    stored(root, seed=1)
    stored(root, "2025-01-02")
    found = PanelRecord.of(Stored(root.whole("dataset_panel")))
    assert found == record
    assert (found.sources, found.label_spec, found.dataset_id) == (
        sources,
        SPEC,
        dataset.dataset_id(sources, SPEC, DEFAULT),
    )
    assert found.label_coverage == {"2025-01-01|sim.X": (0.9, 200)}
    publish(root, "dataset_panel", root.whole("dataset_panel"), pl.DataFrame({"ts": [1]}), "")
    with pytest.raises(StoreError, match="Materialize its asset again"):
        PanelRecord.of(Stored(root.whole("dataset_panel")))


def test_the_id_follows_from_content_and_specs_alone(root):
    """The same files and specs give the same id; another byte, spec or file gives another."""
    stored(root)
    sources = ALL.sources(root)
    name = dataset.dataset_id(sources, SPEC, DEFAULT)
    assert dataset.dataset_id(ALL.sources(root), SPEC, DEFAULT) == name
    assert dataset.dataset_id(sources, LabelSpec(10, 1.0, 0.6, 0.45, 100, 5), DEFAULT) != name
    stored(root, date="2025-01-02")
    assert dataset.dataset_id(ALL.sources(root), SPEC, DEFAULT) != name
    stored(root, seed=1)
    assert dataset.dataset_id(Selection(end="2025-01-01").sources(root), SPEC, DEFAULT) != name


def test_a_selection_picks_dates_and_instruments(root):
    """Bounds are inclusive; an empty selection is an error."""
    for date in ("2025-01-01", "2025-01-02", "2025-01-03"):
        for instrument in ("sim.X", "sim.Y"):
            stored(root, date, instrument, n=1)
    picked = Selection("2025-01-02", "2025-01-03", ("sim.Y",)).sources(root)
    assert [e.path.split("/")[-2:] for e in picked] == [
        [f"date=2025-01-0{d}", "features_sim.Y.parquet"] for d in (2, 3)
    ]
    with pytest.raises(DatasetError, match="Materialize"):
        Selection("2026-01-01").sources(root)


def test_a_window_slides_with_the_last_stored_date(root):
    """The last two dates that are stored, those of each instrument; a run may narrow it further."""
    for day in (1, 3, 4):
        stored(root, f"2025-01-0{day}", n=1)
    stored(root, "2025-01-02", "sim.Y", n=1)
    two = replace(DEFAULT, window_days=2)
    assert [s.date for s in Selection.of(two).sources(root)] == ["2025-01-03", "2025-01-04"]
    assert [s.date for s in Selection.of(two, Selection(end="2025-01-03")).sources(root)] == [
        "2025-01-02",
        "2025-01-03",
    ]
    stored(root, "2025-01-05", n=1)
    assert [s.date for s in Selection.of(two).sources(root)] == ["2025-01-04", "2025-01-05"]
    of_y = replace(DEFAULT, instruments=("sim.Y",))
    assert [s.instrument for s in Selection.of(of_y).sources(root)] == ["sim.Y"]


def test_another_experiment_has_other_columns_labels_and_rows(root):
    """All features, the movement at its horizon, and its definition in the record."""
    rows = stored(root)
    other = [name for name in WHOLE.columns if name not in rows.columns]
    rows = rows.with_columns(pl.lit(1.0).alias(name) for name in other).with_columns(
        movement_30s=-pl.col("movement_10s"), sigma_30s=pl.lit(1e-4), label_end_30s=pl.col("ts") + 30 * SECOND
    )
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, "2025-01-01", "sim.X"), rows, "")
    wide = Experiment("wide", "base_110", horizon=30, row_spacing=3)
    sources = Selection.of(wide).sources(root)
    path = root.whole("dataset_panel", wide.name)
    publish(root, "dataset_panel", path, dataset.panel(root, CONFIG, sources, SPEC, wide), "")
    narrow, _ = made(root)
    built = read(path).collect()
    assert built.select(WHOLE.columns).width == 110
    both = built.join(narrow, on="ts", suffix="_10")
    assert both.height == built.height == 60
    assert (both["movement"] == -both["movement_10"]).all()
    assert (both["label_end"] - both["ts"]).unique().to_list() == [30 * SECOND]
    assert PanelRecord.of(Stored(path)).experiment == wide
    assert PanelRecord.of(Stored(root.whole("dataset_panel"))).experiment == DEFAULT


def test_the_first_block_is_the_first_share_of_labelled_rows(root):
    """By time; rows without label do not count."""
    rows = stored(root)
    block = dataset.first_block(rows, DEFAULT, 0.5)
    assert block.height == 90
    assert block["ts"].max() < rows.drop_nulls("movement_10s")["ts"][90]


def test_a_spec_needs_enough_rows(root):
    """A threshold from a handful of rows would be noise."""
    stored(root, n=100)
    assert dataset.fit_spec(root, ALL.sources(root), DEFAULT) is None
    stored(root, n=2_000)
    assert dataset.fit_spec(root, ALL.sources(root), DEFAULT).rows == pytest.approx(720, abs=2)


PRESSED = replace(DEFAULT, name="pressed", features="base_35_pressure")


def with_pressure(root, date="2025-01-01", seed=0, n=200, first=0):
    """Spoofing pressure of the same seconds; unknown in the first twenty."""
    rows = pl.DataFrame({"ts": [(first + k) * SECOND for k in range(n)]})
    known = pl.int_range(pl.len()) >= 20
    rows = rows.with_columns(
        *(pl.when(known).then(pl.int_range(pl.len()) % 7 + i + 0.5 + seed).alias(name) for i, name in enumerate(NAMES)),
        null_reason_pressure=pl.when(known).then(0).otherwise(3).cast(pl.UInt8),
    )
    path = root.partition("spoofing_pressure", date, "sim.X")
    publish(root, "spoofing_pressure", path, rows, code_version(PARTS_OF["spoofing_pressure"]))
    return rows


def test_spoofing_pressure_stands_beside_the_features_of_its_second(root):
    """Rows without it are left out; the id follows from its content; the default experiment does not know it."""
    stored(root)
    default = dataset.dataset_id(ALL.sources(root), SPEC, DEFAULT)
    pressure = with_pressure(root)
    sources = Selection.of(PRESSED).sources(root)
    built = pl.concat(dataset.panel(root, CONFIG, sources, SPEC, PRESSED).frames)
    assert built.height == 180 - 18
    expected = built.select("ts").join(pressure, on="ts").select(NAMES).cast(pl.Float32)
    assert built.select(NAMES).equals(expected)
    identity = dataset.dataset_id(sources, SPEC, PRESSED)
    with_pressure(root, seed=1)
    with pytest.raises(StoreError, match=r"spoofing_pressure of .* was replaced"):
        list(dataset.panel(root, CONFIG, sources, SPEC, PRESSED).frames)
    assert dataset.dataset_id(Selection.of(PRESSED).sources(root), SPEC, PRESSED) != identity
    assert dataset.dataset_id(ALL.sources(root), SPEC, DEFAULT) == default
    publish(
        root,
        "dataset_panel",
        root.whole("dataset_panel", "pressed"),
        dataset.panel(root, CONFIG, Selection.of(PRESSED).sources(root), SPEC, PRESSED),
        "",
    )
    record = PanelRecord.of(Stored(root.whole("dataset_panel", "pressed")))
    assert record.sources == tuple(Selection.of(PRESSED).sources(root))
    assert "pressure" not in made(root)[1].note()[dataset.NOTE]


def test_days_without_spoofing_pressure_are_named(root):
    """Where the feature set needs it: how many, the first, and what to materialize."""
    stored(root)
    stored(root, "2025-01-02", first=200)
    with_pressure(root)
    with pytest.raises(DatasetError, match=r"1 of 2 partitions is not stored \(first 2025-01-02\|sim.X\)"):
        Selection.of(PRESSED).sources(root)
