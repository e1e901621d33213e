"""The feature table as Dagster materializes it."""

from collections import Counter

import polars as pl
import pytest

from ml.features.sets import OF_SAMPLES, WHOLE
from ml.features.tick.table import FAMILIES
from ml.storage.commit import manifest
from tests.integration.assets.play import checks, drawn, graph, lines, made, make, shown, spoil, stored


def test_a_rebuilt_day_has_the_same_bytes(rebuilt, ingested):
    """Time, every feature of the set and a null reason per family; one row a sample."""
    root, _ = rebuilt
    rows = stored(root, "features")
    assert manifest(root, "features") == manifest(ingested, "features")
    assert rows.columns == ["ts", *WHOLE.columns, *(f"null_reason_{family}" for family in FAMILIES)]
    assert rows["ts"].equals(stored(root, "book_samples")["ts"])


def test_a_person_sees_why_rows_are_null(rebuilt):
    """A line per family and reason; the lines of a family add up to the rows."""
    root, result = rebuilt
    counts = Counter()
    for line in lines(result, "features", "rows by null reason"):
        assert list(line) == ["family", "reason", "rows"]
        counts[line["family"]] += line["rows"]
    assert counts == dict.fromkeys(FAMILIES, stored(root, "features").height)


def test_the_feature_set_is_part_of_the_version():
    """Another set or another kernel makes what is stored stale."""
    (asset,) = [asset for asset in graph() if "features" in {key.path[-1] for key in asset.keys}]
    spec = next(iter(asset.specs))
    assert WHOLE.hash in spec.code_version
    assert spec.metadata["feature set hash"] == WHOLE.hash


def test_impossible_values_stop_what_depends_on_them(root):
    """A negative size gives infinite shapes: the blocking rule fails, nothing is trained on the stored rows."""
    spoil(root, "book_samples", lambda f: f.with_columns(bid_size_1=-pl.col("ask_size_1")))
    before = manifest(root, "training_features")
    result = make(root, "features", "training_features", raise_on_error=False)
    assert not result.success
    assert not checks(result)["features", "finite_or_null"]
    assert made(result) == {"features"}
    assert manifest(root, "training_features") == before


def test_a_person_sees_how_much_of_each_feature_there_is(rebuilt):
    """A plot, the ten features with the least, and for each set the share of rows that are whole."""
    root, result = rebuilt
    metadata = shown(result, "features")
    rows = stored(root, "features")
    assert drawn(result, "features", "coverage by feature")[0].startswith(b"\x89PNG")
    least = lines(result, "features", "least coverage")
    known = {name: 1 - rows[name].null_count() / rows.height for name in WHOLE.columns}
    assert [line["share"] for line in least] == pytest.approx(sorted(known.values())[:10], rel=1e-3)
    assert all(known[line["feature"]] == pytest.approx(line["share"], rel=1e-3) for line in least)
    for name, chosen in OF_SAMPLES.items():
        whole = rows.select(chosen.columns).drop_nulls().height / rows.height
        assert metadata[f"share of whole rows, {name}"].value == whole


def test_every_set_is_searched_for_leaks(rebuilt):
    """A blocking check a set, with four canaries."""
    held = {name: passed for (table, name), passed in checks(rebuilt[1]).items() if name.startswith("no_leak")}
    assert held == {f"no_leak_{name}": True for name in OF_SAMPLES}
