"""Where things lie: nothing collides, nothing strange lies inside a table's tree, and asking creates nothing."""

import polars as pl
import pytest

from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.storage.commit import publish
from ml.tables.schemas import TABLES

# the table `captures` is the folder of captures itself
ALL = (
    *(table for table in TABLES if table != "captures"),
    "features",
    FEATURE_GROUP,
    "dataset_panel",
    "fold_predictions",
)
PLACES = ("config", "captures", "journals", "staging", "quarantine", "decisions", "dagster_home", "mlflow", "compiled")


def every_place(root: DataRoot):
    """All places below a root that are asked for with different words."""
    yield from (getattr(root, name) for name in PLACES)
    for table in ALL:
        yield from (root.table(table), root.manifest(table), root.lock(table), root.document(table))
    yield from (root.capture_index("ab"), root.capture_index("cd"), root.model("m1"), root.model("m2"))


def test_asking_for_a_place_creates_nothing(root):
    """A path is only a name."""
    assert all(root.root in place.parents for place in every_place(root))
    assert not root.root.exists()


def test_no_two_places_are_the_same(root):
    """A table, a document and a lock of the same name stay apart."""
    places = list(every_place(root))
    assert len(places) == len(set(places))


@pytest.mark.parametrize("table", ALL)
def test_a_tables_tree_holds_nothing_else(root, table):
    """Readers scan the tree: no other table, manifest, lock or staged file may lie inside it."""
    tree = root.table(table)
    assert [place for place in every_place(root) if tree in place.parents] == []


def test_partitions_differ_in_date_and_instrument(root):
    """Each partition of each table has one file of its own inside the table's tree."""
    asked = [(t, d, i) for t in ALL for d in ("2025-01-01", "2025-01-02") for i in ("sim.A", "sim.B")]
    files = {root.partition(*one) for one in asked}
    assert len(files) == len(asked)
    assert all(root.table(table) in root.partition(table, date, i).parents for table, date, i in asked)


def test_the_feature_store_has_the_layout_that_users_know(root):
    """`feature_store/offline/<group>/date=.../features_<instrument>.parquet`."""
    path = root.partition(FEATURE_GROUP, "2025-01-01", "sim.A").relative_to(root.root)
    assert str(path) == "feature_store/offline/training_features/date=2025-01-01/features_sim.A.parquet"


def test_a_month_has_its_own_folder(root):
    """A month is no date: a reader of days must not take its rows for one."""
    assert root.partition("candle_features", "2025-01", "sim.A").parent.name == "month=2025-01"


def test_a_hive_reader_finds_the_date(root):
    """The folder names are those of hive partitions, so a scan of the tree knows each row's date."""
    for date in ("2025-01-01", "2025-01-02"):
        publish(root, "trades", root.partition("trades", date, "sim.A"), pl.DataFrame({"ts": [1]}), "v")
    found = pl.scan_parquet(root.table("trades"), hive_partitioning=True).collect()
    assert found["date"].cast(pl.String).to_list() == ["2025-01-01", "2025-01-02"]
