"""Labels of migrated samples, recomputed."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.core.errors import StoreError
from ml.legacy import labelling, samples
from ml.legacy.columns import FUTURE, HORIZONS
from ml.legacy.sources import find
from ml.storage import commit
from tests.support import legacy_files as files

VENUE = "bybit-linear"


@pytest.fixture
def stored(root, tmp_path):
    """A migrated batch across midnight."""
    ts = files.times(60, files.DAY + 86_400_000 - 600_000)
    mids = files.prices(60)
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids)
    samples.migrate(root, find(tmp_path).of("batch"), VENUE)
    return root


def table(root):
    return pl.concat([commit.load(root.root / path) for path in sorted(commit.manifest(root, samples.TABLE))])


@pytest.mark.promise("B6")
def test_relabelling_changes_label_columns_alone(stored):
    """All other columns stay, and a second time nothing happens."""
    before = table(stored)
    keys = [(day, f"{VENUE}.BTCUSDT") for day in ("2025-11-07", "2025-11-08")]
    path = stored.partition(samples.TABLE, *keys[0])
    spoiled = commit.load(path).with_columns(pl.lit(None, dtype).alias(name) for name, dtype in FUTURE.items())
    code = commit.manifest(stored, samples.TABLE)[str(path.relative_to(stored.root))].code_version
    commit.publish(stored, samples.TABLE, path, spoiled, code)
    labelling.relabel(stored, keys[:1])
    assert_frame_equal(table(stored), before)
    manifest = stored.manifest(samples.TABLE).read_bytes()
    labelling.relabel(stored, keys)
    assert stored.manifest(samples.TABLE).read_bytes() == manifest


def test_what_is_not_stored_cannot_be_labelled(root):
    """The message names the partition."""
    with pytest.raises(StoreError, match=r"no rows of 2030-01-01 x\.Y"):
        labelling.relabel(root, [("2030-01-01", "x.Y")])


def test_a_day_is_labelled_alone(stored):
    """No label looks over midnight."""
    rows = table(stored)
    midnight = (files.DAY + 86_400_000) * 10**6
    for h in HORIZONS:
        over = rows.filter(pl.col("ts").is_between(midnight - h * 10**9 + 1, midnight - 1))
        assert over[f"future_movement_{h}s"].count() == 0
    assert rows["future_movement_60s"].count() > 0


def test_agreement_is_summed_over_days():
    """A share where anything was compared."""
    day = {f"{h}s": {"labelled": 4, "compared": 2, "agree": 1} for h in HORIZONS}
    none = {f"{h}s": {"labelled": 1, "compared": 0, "agree": 0} for h in HORIZONS}
    assert labelling.summed([day, day])["60s"] == {"labelled": 8, "compared": 4, "agree": 2, "agreement": 0.5}
    assert labelling.summed([none])["10s"]["agreement"] is None
