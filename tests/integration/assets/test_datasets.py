"""The feature store's rows, the label spec and the panel as Dagster materializes them."""

import json

import dagster as dg
import pytest

from assets.datasets import Dataset
from ml.core.errors import DatasetError
from ml.core.time import SECOND
from ml.core.time import date_of as day
from ml.labels.spec import LabelSpec
from ml.learning import dataset
from ml.learning.experiment import DEFAULT
from ml.storage.commit import read
from ml.storage.durable import write_text
from tests.integration.assets.play import DATE, DAY_BEFORE, copy_of, document, make, shown, spoil, stored
from tests.support.scenario import INSTRUMENT


def selecting(**choice):
    return dg.RunConfig(ops={name: Dataset(**choice) for name in ("label_spec", "dataset_panel")})


def test_the_feature_store_has_the_layout_that_readers_know(rebuilt):
    """offline/training_features/date=.../features_<instrument>.parquet, features and labels side by side."""
    root, result = rebuilt
    path = f"feature_store/offline/training_features/date={DATE}/features_{INSTRUMENT.id}.parquet"
    assert shown(result, "training_features")["path"].value == path
    rows = read(root.root / path).collect()
    both = set(stored(root, "features").columns) | set(stored(root, "future_labels").columns)
    assert set(rows.columns) == {"instrument", *both}


def test_a_day_of_nothing_warns(root):
    """A capture may have ended before the day: the run goes on, and the check of its rows says so."""
    for table in ("features", "future_labels"):
        spoil(root, table, lambda frame: frame.clear())
    result = make(root, "training_features")
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "has_rows"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert stored(root, "training_features").is_empty()


def test_the_panel_holds_every_stored_partition(learned):
    """Without a selection: both days, in order of time, with the class that the spec gives."""
    root, result = learned
    rows = stored(root, "dataset_panel", date=None)
    spec = LabelSpec(**document(root, "label_spec"))
    assert shown(result, "dataset_panel")["partitions"].value == 2
    assert {day(ts) for ts in (rows["ts"][0], rows["ts"][-1])} == {DAY_BEFORE, DATE}
    assert rows["ts"].is_sorted()
    expected = spec.apply(*(rows[name].to_numpy() for name in ("movement", "half_spread", "sigma")))
    assert rows["direction"].to_list() == expected.tolist()


def test_the_id_follows_from_the_files(learned):
    """The same files and specs give the id that the metadata shows."""
    root, result = learned
    spec = LabelSpec(**document(root, "label_spec"))
    expected = dataset.dataset_id(dataset.Selection().sources(root), spec, DEFAULT)
    assert shown(result, "dataset_panel")["dataset id"].value == expected
    assert shown(result, "label_spec")["hash"].value == spec.hash


def test_a_selection_narrows_the_panel(root):
    """Dates from one on: the spec is fitted and the panel made on them alone."""
    result = make(root, "label_spec", "dataset_panel", date=None, run_config=selecting(start=DATE))
    rows = stored(root, "dataset_panel", date=None)
    assert shown(result, "dataset_panel")["partitions"].value == 1
    assert {day(ts) for ts in rows["ts"]} == {DATE}
    assert document(root, "label_spec")["fitted_until"] <= rows["ts"].max()


def test_another_experiment_is_made_beside_the_default_one(learned, tmp_path):
    """Its own spec and panel, by two lines in the file; those of the default one stay as they are."""
    root = copy_of(learned[0], tmp_path)
    write_text(root.config, root.config.read_text() + "\n[experiments.slow]\nhorizon = 30\nrow_spacing = 5\n")
    before = document(root, "label_spec"), stored(root, "dataset_panel", date=None)
    make(root, "label_spec", "dataset_panel", "drift_baseline", date=None, experiment="slow")
    assert json.loads(root.document("label_spec", "slow").read_text())["horizon"] == 30
    rows = read(root.whole("dataset_panel", "slow")).collect()
    assert set(rows["ts"] % (5 * SECOND)) == {0}
    assert set(rows["label_end"] - rows["ts"]) == {30 * SECOND}
    assert root.whole("drift_baseline", "slow").exists()
    assert document(root, "label_spec") == before[0]
    assert stored(root, "dataset_panel", date=None).equals(before[1])


def test_a_selection_of_nothing_says_so(root):
    """No partition matches: the message says to materialize some."""
    with pytest.raises(DatasetError, match="Materialize the partitions first"):
        make(root, "label_spec", date=None, run_config=dg.RunConfig(ops={"label_spec": Dataset(start="2031-01-01")}))


def test_too_few_rows_give_an_empty_panel(root):
    """A minute of market has no spec and no panel row, and is no error."""
    short = {"label_spec": Dataset(start=DATE), "dataset_panel": Dataset(start=DATE)}
    spoil(root, "training_features", lambda frame: frame.head(60))
    result = make(root, "label_spec", "dataset_panel", date=None, run_config=dg.RunConfig(ops=short))
    assert document(root, "label_spec") is None
    assert stored(root, "dataset_panel", date=None).is_empty()
    assert shown(result, "label_spec")["label spec"].value.startswith("none")
