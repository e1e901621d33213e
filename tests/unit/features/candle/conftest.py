"""an interval of candles, what the product makes of it, what the oracle makes of it, and when both are the same."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ml.features.candle.build import build
from tests.oracles.unified import unified
from tests.support.candles import PAIR, candle_frame


@pytest.fixture(scope="session")
def both():
    """`ours` (Polars) and `theirs` (pandas) over the same candles, which begin at 03:15 UTC of a Wednesday."""
    candles = candle_frame()
    prices = {name: candles[name].to_numpy() / 1e6 for name in ("open", "high", "low", "close", "volume")}
    prices["turnover"] = candles["notional"].to_numpy() / 1e12
    frame = pd.DataFrame(prices, index=pd.to_datetime(candles["ts"].to_numpy(), utc=True))
    return SimpleNamespace(candles=candles, ours=build(candles, PAIR), theirs=unified(frame))


@pytest.fixture(scope="session")
def as_the_oracle(both):
    """Asserts that a column is that of the oracle from its declared look-back on, and null before."""

    def check(column):
        ours = floats(both.ours, column.id)
        theirs = both.theirs[column.id].to_numpy()
        assert np.isnan(ours[: column.needs - 1]).all()
        assert not np.isnan(ours[column.needs - 1 :]).any()
        assert np.nanstd(theirs) > 0
        close(ours[column.needs - 1 :], theirs[column.needs - 1 :], np.nanmax(np.abs(theirs)))

    return check


def close(found, wanted, scale):
    """Equal to 1e-9 of the value, or of the column's size."""
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * scale)


def floats(frame, name):
    """A column as f64, NaN for null."""
    return frame[name].fill_null(float("nan")).to_numpy()
