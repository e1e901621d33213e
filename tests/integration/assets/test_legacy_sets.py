"""The predecessor's columns as Dagster materializes them."""

import polars as pl
import pytest

from ml.core.time import MINUTE, bounds
from ml.features.legacy.feature import FAMILIES
from ml.features.legacy.table import ABSENT, LEGACY_112, LEGACY_SETS
from ml.storage.commit import manifest, publish
from ml.tables.schemas import SCHEMAS
from tests.integration.assets.play import DATE, DAY_BEFORE, checks, copy_of, graph, lines, make, stored
from tests.support.candles import candle_frame
from tests.support.scenario import INSTRUMENT


@pytest.fixture(scope="module")
def both(ingested, tmp_path_factory):
    """A root with both tables of a day, whose minutes the venue serves from the day before on, and the run's result."""
    root = copy_of(ingested, tmp_path_factory.mktemp("legacy_sets"))
    for date in (DAY_BEFORE, DATE):
        served = candle_frame(1_440, first=bounds(date)[0], step=MINUTE).with_columns(timeframe=pl.lit("1m"))
        path = root.partition("rest_candles", date, INSTRUMENT.id)
        publish(root, "rest_candles", path, served.select(SCHEMAS["rest_candles"].names()), "t")
    return root, make(root, *LEGACY_SETS)


@pytest.mark.parametrize("chosen", LEGACY_SETS.values(), ids=lambda chosen: chosen.name)
def test_every_sample_is_a_row(both, chosen):
    """The columns in the files' order and a reason per family; values once enough minutes lie behind a row."""
    rows = stored(both[0], chosen.name)
    assert rows.columns == ["ts", *chosen.columns, *(f"null_reason_{family}" for family in FAMILIES)]
    assert rows["ts"].equals(stored(both[0], "book_samples")["ts"])
    values = {name for name in chosen.columns if rows[name].null_count() < rows.height}
    assert values == set(chosen.columns) - ABSENT
    assert set(rows["null_reason_candle"]) == set(rows["null_reason_indicator"]) == {0}


def test_rules_and_canaries_hold(both):
    """Three each, all blocking."""
    held = checks(both[1])
    for name in LEGACY_SETS:
        own = {check for table, check in held if table == name}
        assert own == {
            "one_row_per_second",
            "finite_or_null",
            "reasons_given",
            "canary_truncation",
            "canary_future_scramble",
            "canary_planted_leak",
        }
    assert all(held.values()), held


def test_a_person_sees_what_is_known(both):
    """A line per family."""
    assert {line["of"] for line in lines(both[1], "legacy_112", "coverage")} == set(FAMILIES)


def test_rebuilt_it_has_the_same_bytes(both):
    """The partition is a function of what is stored."""
    root, _ = both
    before = manifest(root, "legacy_112")
    make(root, "legacy_112")
    assert manifest(root, "legacy_112") == before


def test_the_set_is_part_of_the_version():
    """Another formula makes what is stored stale."""
    (asset,) = [asset for asset in graph() if "legacy_112" in {key.path[-1] for key in asset.keys}]
    spec = next(iter(asset.specs))
    assert LEGACY_112.hash in spec.code_version
    assert spec.metadata["feature set hash"] == LEGACY_112.hash
