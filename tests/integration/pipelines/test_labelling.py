"""Labels recomputed: only label columns change, and a second time nothing does."""

import pytest

from ml.core import config
from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP, LEGACY_GROUP
from ml.storage import commit, durable
from ml.tables.schemas import label_schema
from pipelines import labelling
from pipelines.demo import default_config
from pipelines.labelling import Range
from pipelines.setup import initialise
from tests.integration.assets.play import DATE, DAY_BEFORE, copy_of, spoil, stored
from tests.support import legacy_files
from tests.support.scenario import INSTRUMENT


@pytest.fixture
def home(ingested, tmp_path, monkeypatch, with_stores):
    """A copy of the ingested data root with an instance of its own; the definitions work on it."""
    root = copy_of(ingested, tmp_path)
    with_stores(root)
    initialise(root, default_config())
    return root


def contents(root, table):
    return {path: entry.sha256 for path, entry in commit.manifest(root, table).items()}


@pytest.mark.promise("B6")
def test_only_labels_change_and_a_second_run_is_nothing(home):
    """Labels of another plan are replaced by those of lobforge.toml; every other column keeps its bytes."""
    before = contents(home, FEATURE_GROUP)
    spoil(home, FEATURE_GROUP, lambda f: f.with_columns(movement_10s=f["movement_30s"]))
    told = labelling.label(home, FEATURE_GROUP, Range(DATE, DATE))["partitions"][f"{DATE} {INSTRUMENT.id}"]
    assert (told["changed_labels"], told["changed_others"]) == (["movement_10s"], [])
    assert told["coverage"]["10s"] > 0.8
    manifest = home.manifest(FEATURE_GROUP).read_bytes()
    again = labelling.label(home, FEATURE_GROUP, Range(DATE))["partitions"]
    assert again == {f"{DATE} {INSTRUMENT.id}": told | {"changed_labels": []}}
    assert home.manifest(FEATURE_GROUP).read_bytes() == manifest
    assert contents(home, FEATURE_GROUP) == before


def test_new_horizons_are_new_columns_of_that_day_alone(home):
    """The plan in lobforge.toml counts; the other day keeps its schema, and both are read together."""
    from ml.learning import dataset

    text = home.config.read_text().replace("\n[[", "\n[labels]\nhorizons = [10, 30, 60, 180, 300]\n\n[[", 1)
    durable.write_text(home.config, text)
    assert config.load(home).labels.horizons[-1] == 300
    told = labelling.label(home, FEATURE_GROUP, Range(DATE))["partitions"][f"{DATE} {INSTRUMENT.id}"]
    assert set(told["changed_labels"]) == set(label_schema((180, 300))) - set(label_schema(()))
    sources = dataset.Selection().sources(home)
    first, second = (rows["movement_300s"] for rows in dataset.days(home, sources, ("ts", "movement_300s")))
    assert (first.count(), second.count() > 0) == (0, True)
    assert "movement_300s" not in stored(home, FEATURE_GROUP, DAY_BEFORE).columns


def test_the_predecessors_samples_are_a_group_too(root, tmp_path):
    """Their labels are recomputed without Dagster."""
    from ml.legacy.migration import migrate

    legacy_files.batch(tmp_path, "BTCUSDT", "a", legacy_files.times(30), legacy_files.prices(30))
    migrate(root, tmp_path, "v")
    manifest = root.manifest(LEGACY_GROUP).read_bytes()
    report = labelling.label(root, LEGACY_GROUP, Range(instruments=("v.BTCUSDT",)))
    assert report["partitions"]["2025-11-07 v.BTCUSDT"]["60s"]["labelled"] > 0
    assert root.manifest(LEGACY_GROUP).read_bytes() == manifest


@pytest.mark.parametrize(
    ("group", "wanted", "told"),
    [
        ("other", Range(), "nknown feature group 'other'"),
        (LEGACY_GROUP, Range(), "legacy_samples has no rows"),
    ],
)
def test_nothing_to_label_is_an_error(root, group, wanted, told):
    """A misspelt group, or a range in which nothing is stored."""
    with pytest.raises(DatasetError, match=told):
        labelling.label(root, group, wanted)
