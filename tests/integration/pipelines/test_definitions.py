"""The code location: it loads, quickly, and every asset says what it is."""

import os
import subprocess
import sys
from dataclasses import replace

import dagster as dg
import pytest

from ml.catalog.tables import TABLES
from ml.core import config, settings
from ml.core.paths import DataRoot
from pipelines.definitions import build_assets, build_defs
from tests.architecture.sources import PROJECT

EXTERNAL = {"captures", "rest_candles"}
"""What is made outside Dagster."""
HEAVY = ("numba", "talib", "torch", "lightgbm", "sklearn", "mlflow", "optuna", "matplotlib", "pandas", "duckdb")
LOADING = "import sys; from pipelines.definitions import defs; defs(); print(*sys.modules)"


@pytest.fixture(scope="module")
def specs(defs):
    return defs.resolve_all_asset_specs()


def test_the_location_is_whole(defs):
    """Every input has its asset, every resource is there, every job resolves."""
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.external_asset_keys} == EXTERNAL
    assert {job.name for job in defs.resolve_all_job_defs()} > {"fetch", "ingest", "learn"}


def test_loading_is_light():
    """A worker that only lists assets loads nothing that computes; `make bench` measures how long it takes."""
    done = subprocess.run([sys.executable, "-c", LOADING], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if name in done.stdout.split()] == []


def test_importing_reads_nothing(tmp_path):
    """Settings and lobforge.toml are read when the definitions are asked for: modules load where there are none."""
    code = (
        "import importlib, pkgutil, assets, pipelines\n"
        "for package in (assets, pipelines):\n"
        "    for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)"
    )
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(tmp_path / "none"), "PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert not list(tmp_path.iterdir())


def test_every_asset_says_what_it_is(specs):
    """Owner, kind, group, description and, if we make it, version of its code."""
    assert specs
    for spec in specs:
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key
        assert spec.code_version or spec.key.path[-1] in EXTERNAL, spec.key


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


def test_what_a_table_is_made_of_is_upstream_of_it(defs):
    """A source that is an asset is upstream of the asset that makes the table."""
    graph = defs.resolve_asset_graph()
    made = {key.path[-1] for key in graph.get_all_asset_keys()}
    for name in made & TABLES.keys():
        upstream = {key.path[-1] for key in graph.get_ancestor_asset_keys(dg.AssetKey(name))}
        assert made & set(TABLES[name].sources) <= upstream, name


def test_the_groups_tell_the_way(specs):
    """From raw to promotion, and what the predecessor left; no asset outside."""
    way = {"raw", "samples", "features", "labels", "dataset", "training", "validation", "promotion", "deployment"}
    groups = way | {
        "archives",
        "captures",
        "candle_sets",
        "legacy",
        "legacy_sets",
        "monitoring",
        "layering",
        "pressure",
    }
    assert {spec.group_name for spec in specs} == groups | {"pressure"}


def test_what_is_late_is_seen_while_a_capture_goes_on():
    """The newest samples and rows, and the weekly decision; days long past are never late."""
    configuration = config.load(DataRoot(settings.load().data_root))
    late = {"book_samples", "training_features", "promotion_decision"}
    for last_date, expected in ((None, late), (configuration.last_date, set())):
        built = build_assets(replace(configuration, last_date=last_date))
        specs = [
            spec for asset in built for spec in (asset.specs if isinstance(asset, dg.AssetsDefinition) else [asset])
        ]
        assert {spec.key.path[-1] for spec in specs if spec.freshness_policy} == expected


def test_a_resource_can_be_replaced(defs):
    """Keyword arguments replace resources by name, and the rest stays."""
    other = dg.ResourceDefinition.hardcoded_resource("mine")
    built = build_defs(DataRoot(settings.load().data_root), settings=other)
    assert built.resources["settings"] is other
    assert built.resources.keys() == defs.resources.keys()
