"""The code location: it loads, quickly, and every asset says what it is."""

import subprocess
import sys

import dagster as dg
import pytest

from ml.catalog.tables import TABLES
from pipelines.definitions import build_defs, defs
from tests.architecture.sources import PROJECT

HEAVY = ("numba", "talib", "torch", "lightgbm", "sklearn", "mlflow", "optuna", "matplotlib", "pandas", "duckdb")
LOADING = "import sys, pipelines.definitions; print(*sys.modules)"


@pytest.fixture(scope="module")
def specs():
    return defs.resolve_all_asset_specs()


def test_the_location_is_whole():
    """Every input has its asset, every resource is there, every job resolves."""
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert graph.external_asset_keys == set()
    assert {job.name for job in defs.resolve_all_job_defs()} > {"fetch", "ingest", "learn"}


def test_loading_is_light():
    """A worker that only lists assets loads nothing that computes; `make bench` measures how long it takes."""
    done = subprocess.run([sys.executable, "-c", LOADING], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if name in done.stdout.split()] == []


def test_every_asset_says_what_it_is(specs):
    """Owner, kind, group, description and version of its code."""
    assert specs
    for spec in specs:
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key
        assert spec.code_version, spec.key


def test_every_stored_table_is_in_the_catalog(specs):
    """Its columns, with units and descriptions, and where they come from stand in the asset's definition."""
    stored = {spec.key.path[-1]: spec.metadata for spec in specs if "parquet" in spec.kinds}
    assert stored.keys() <= TABLES.keys()
    for name, metadata in stored.items():
        columns = metadata["dagster/column_schema"].columns
        assert [c.name for c in columns] == TABLES[name].schema.names()
        assert all(column.description for column in columns)
    price = next(c for c in stored["trades"]["dagster/column_schema"].columns if c.name == "price")
    assert price.constraints.other == ["unit: 10^-price_decimals of the instrument"]
    (origin,) = stored["training_features"]["dagster/column_lineage"].deps_by_column["qi_1"]
    assert (origin.asset_key, origin.column_name) == (dg.AssetKey("features"), "qi_1")


def test_what_a_table_is_made_of_is_upstream_of_it():
    """A source that is an asset is upstream of the asset that makes the table."""
    graph = defs.resolve_asset_graph()
    made = {key.path[-1] for key in graph.get_all_asset_keys()}
    for name in made & TABLES.keys():
        upstream = {key.path[-1] for key in graph.get_ancestor_asset_keys(dg.AssetKey(name))}
        assert made & set(TABLES[name].sources) <= upstream, name


def test_the_groups_tell_the_way(specs):
    """From raw to promotion, and what the predecessor left; no asset outside."""
    way = {"raw", "samples", "features", "labels", "dataset", "training", "validation", "promotion"}
    groups = way | {"archives", "captures", "candle_sets", "legacy", "legacy_sets", "monitoring"}
    assert {spec.group_name for spec in specs} == groups


def test_a_resource_can_be_replaced():
    """Keyword arguments replace resources by name, and the rest stays."""
    other = dg.ResourceDefinition.hardcoded_resource("mine")
    built = build_defs(settings=other)
    assert built.resources["settings"] is other
    assert built.resources.keys() == defs.resources.keys()
