"""Where things lie: nothing collides, nothing strange lies inside a table's tree, and asking creates nothing."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import StoreError
from ml.core.paths import FEATURE_GROUP, DataRoot, Partition, partition_of
from ml.storage.commit import publish
from ml.tables.schemas import SCHEMAS

# the table `captures` is the folder of captures itself
ALL = (
    *(table for table in SCHEMAS if table != "captures"),
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
    assert all(root.table(table) in root.partition(table, day, i).parents for table, day, i in asked)


def test_the_feature_store_has_the_layout_that_users_know(root):
    """`feature_store/offline/<group>/date=.../features_<instrument>.parquet`."""
    path = root.partition(FEATURE_GROUP, "2025-01-01", "sim.A").relative_to(root.root)
    assert str(path) == "feature_store/offline/training_features/date=2025-01-01/features_sim.A.parquet"


def test_a_month_has_its_own_folder(root):
    """A month is no date: a reader of days must not take its rows for one."""
    assert root.partition("candle_features", "2025-01", "sim.A").parent.name == "month=2025-01"


def test_a_hive_reader_finds_the_date(root):
    """The folder names are those of hive partitions, so a scan of the tree knows each row's date."""
    for day in ("2025-01-01", "2025-01-02"):
        publish(root, "trades", root.partition("trades", day, "sim.A"), pl.DataFrame({"ts": [1]}), "v")
    found = pl.scan_parquet(root.table("trades"), hive_partitioning=True).collect()
    assert found["date"].cast(pl.String).to_list() == ["2025-01-01", "2025-01-02"]


DATES = st.dates(date(2009, 1, 1), date(2100, 1, 1)).map(str)
IDS = st.from_regex(r"[a-z0-9-]{1,12}\.[A-Za-z0-9_.:-]{1,20}", fullmatch=True)


@given(st.sampled_from(ALL), st.one_of(DATES, DATES.map(lambda text: text[:7])), IDS)
def test_a_path_says_which_partition_it_is(table, day, instrument):
    """What makes a partition's path and what reads it agree, for dates and months, whatever the id."""
    root = DataRoot(Path("somewhere"))
    path = root.partition(table, day, instrument).relative_to(root.root)
    assert partition_of(path.as_posix()) == Partition(table, day, instrument)


@pytest.mark.parametrize(
    "path",
    [
        "trades/date=2025-01-01/books_sim.A.parquet",
        "trades/date=2025-01-01/trades_.parquet",
        "trades/date=2025/trades_sim.A.parquet",
        "trades/month=2025-01-01/trades_sim.A.parquet",
        "feature_store/trades/date=2025-01-01/trades_sim.A.parquet",
        "training_features/date=2025-01-01/features_sim.A.parquet",
        "dataset_panel/dataset_panel.parquet",
    ],
)
def test_another_path_is_no_partition(path):
    """Another name, no instrument, a date of another length or beside its folder: the error names the path."""
    with pytest.raises(StoreError, match=f"{path} is not the path of a partition"):
        partition_of(path)
