"""A version says which stored files the running code would compute otherwise, and what to rebuild."""

import polars as pl
import pytest

from ml.core import versions
from ml.core.errors import StoreError
from ml.core.versions import PARTS_OF, code_version, outdated
from ml.features.sets import BASE
from ml.storage.commit import manifest, publish, require_current
from ml.storage.repair import sweep

ROWS = pl.DataFrame({"ts": [1, 2]})


@pytest.fixture
def raised(monkeypatch):
    """Raise the version of a part for the rest of the test."""

    def change(part):
        monkeypatch.setitem(versions.VERSIONS, part, versions.VERSIONS[part] + 1)

    return change


@pytest.mark.parametrize(
    ("part", "table", "first"),
    [
        ("kernel", "features", "raw_frames"),
        ("features.flow", "features", "features"),
        ("labels", "training_features", "future_labels"),
        ("features.flow", "future_labels", None),
        ("labels", "features", None),
    ],
)
def test_only_what_depends_on_a_part_is_outdated(raised, part, table, first):
    """And it is rebuilt from the asset that the part computes on; a set's hash before the versions is no part."""
    stored = code_version(PARTS_OF[table])
    raised(part)
    assert outdated(table, stored) == outdated(table, f"0123abcd-{stored}") == first
    assert outdated(table, code_version(PARTS_OF[table])) is None


def test_a_reader_refuses_what_older_code_made(root, raised):
    """It says how many files, the first, and what to materialize; files of the running code are read."""
    for date in ("2025-03-03", "2025-03-04"):
        path = root.partition("features", date, "sim.SIMUSDT")
        publish(root, "features", path, ROWS, f"{BASE.hash}-{code_version(PARTS_OF['features'])}")
    require_current("features", manifest(root, "features").values())
    raised("features.book")
    with pytest.raises(StoreError, match=r"2 stored files .*date=2025-03-03.* Materialize features and what"):
        require_current("features", manifest(root, "features").values())


def test_a_file_of_unknown_version_is_not_current(root):
    """It was found without an entry, so nothing says which code made it."""
    path = root.partition("features", "2025-03-03", "sim.SIMUSDT")
    publish(root, "features", path, ROWS, f"{BASE.hash}-{code_version(PARTS_OF['features'])}")
    root.manifest("features").unlink()
    sweep(root, ["features"])
    with pytest.raises(StoreError, match=r"1 stored files .*swept.* Materialize raw_frames and what"):
        require_current("features", manifest(root, "features").values())


def test_a_model_depends_on_the_families_of_its_columns(raised):
    """A change of a family that a set has no column of leaves the set's version as it is."""
    families = {feature.family for feature in BASE.features}
    before = BASE.code_version
    for family in {"book", "flow", "trades", "price", "candles", "context"} - families:
        raised(f"features.{family}")
        assert BASE.code_version == before
    raised("features.book")
    assert BASE.code_version != before
