"""Class thresholds, fitted once."""

import numpy as np
import polars as pl
import pytest

from ml.core.errors import DatasetError
from ml.labels.spec import NEUTRAL_RANGE, fit


def rows(half_spread, n=4_000, seed=1):
    rng = np.random.default_rng(seed)
    sigma = rng.uniform(1e-4, 3e-4, n)
    return pl.DataFrame(
        {"ts": range(n), "movement": rng.normal(0, 1, n) * sigma, "half_spread": [half_spread] * n, "sigma": sigma}
    )


@pytest.mark.parametrize("half_spread", [1e-6, 1e-4, 2e-4, 5e-4])
def test_neutral_lies_in_the_wanted_range(half_spread):
    """Whatever the spread: a is lowered where the half spread alone would swallow the moves."""
    block = rows(half_spread)
    spec = fit(block, 10)
    assert NEUTRAL_RANGE[0] <= spec.neutral_share <= NEUTRAL_RANGE[1]
    classes = spec.apply(*(block[name].to_numpy() for name in ("movement", "half_spread", "sigma")))
    assert (classes == 1).mean() == pytest.approx(spec.neutral_share)
    assert {0, 1, 2} == set(classes.tolist())


def test_the_hash_changes_with_the_rows():
    """Another block is another spec."""
    assert fit(rows(1e-6), 10).hash != fit(rows(1e-6, seed=2), 10).hash
    assert fit(rows(1e-6), 10).hash == fit(rows(1e-6), 10).hash


def test_a_price_that_never_moves_has_no_threshold():
    """Classes of nothing would be a number without content."""
    still = rows(1e-6).with_columns(movement=0.0)
    with pytest.raises(DatasetError, match="moved too rarely"):
        fit(still, 10)
    with pytest.raises(DatasetError, match="no row"):
        fit(still.clear(), 10)
