"""Spoofing pressure as Dagster materializes it, and what an experiment makes of it."""

from dataclasses import replace

import polars as pl
import pytest

from ml.core import config
from ml.evaluation import verdict
from ml.learning.dataset import Selection
from ml.learning.experiment import DEFAULT
from ml.storage.commit import manifest, publish
from tests.integration.assets.play import DATE, checks, copy_of, make, shown, stored

PRESSED = replace(DEFAULT, name="pressed", features="base_35_pressure")


@pytest.fixture(scope="module")
def pressed(ingested, tmp_path_factory):
    """A copy of the ingested data root on which the second day's pressure was made, and that run's result."""
    root = copy_of(ingested, tmp_path_factory.mktemp("pressed"))
    return root, make(root, "spoofing_pressure")


def test_a_row_for_each_sample_with_its_checks(pressed):
    """Most seconds are known; rules and canaries hold."""
    root, result = pressed
    rows = stored(root, "spoofing_pressure")
    assert rows["ts"].equals(stored(root, "book_samples")["ts"])
    assert rows.drop_nulls().height > 0.5 * rows.height
    held = checks(result)
    assert {name for _, name in held} >= {"canary_future_scramble", "canary_planted_leak", "reasons_given"}
    assert all(held.values())
    nulls = {name: entry.value for name, entry in shown(result, "spoofing_pressure").items() if name[:5] == "null,"}
    assert sum(nulls.values()) == rows["msci_bid"].null_count()


def test_the_live_path_gives_every_row(pressed):
    """The parity of an experiment that reads it covers both tables; one changed value is found and named."""
    root, _ = pressed
    sources = Selection.of(PRESSED, Selection(start=DATE)).sources(root)
    found = verdict.run_parity(root, config.load(root), sources)
    rows = stored(root, "spoofing_pressure")
    assert (found.rows, found.mismatches, found.first_mismatch) == (2 * rows.height, 0, "")
    ts = rows.drop_nulls()["ts"][100]
    changed = rows.with_columns(
        pulled_rate_bid=pl.when(pl.col("ts") == ts).then(9.0).otherwise(pl.col("pulled_rate_bid"))
    )
    (entry,) = manifest(root, "spoofing_pressure").values()
    publish(root, "spoofing_pressure", root.root / entry.path, changed, entry.code_version)
    again = verdict.run_parity(root, config.load(root), Selection.of(PRESSED, Selection(start=DATE)).sources(root))
    assert again.mismatches == 1
    assert again.first_mismatch.startswith(f"{ts} spoofing_pressure: batch ")
