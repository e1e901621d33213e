"""Candles on which indicators are held against TA-Lib, and how they are called."""

import numpy as np
import pytest
from pyarrow import feather

from tests.support.candles import walk


@pytest.fixture(scope="session", params=["random walk", "recorded"])
def candles(request):
    """Open, high, low, close, volume: simulated, and recorded 5-minute candles of ETH/BTC."""
    if request.param == "random walk":
        return walk()
    path = request.getfixturevalue("market") / "candles" / "ETH_BTC-5m.feather"
    frame = feather.read_table(path)
    return tuple(frame[name].to_numpy().astype(float) for name in ("open", "high", "low", "close", "volume"))


@pytest.fixture(scope="session")
def same():
    """Asserts that a compiled function gives what a reference gives, to 1e-8, and NaN as often.

    `outputs` counts the arrays that the function writes, `spare` those before them that it only works in.
    """

    def check(function, arguments, expected, outputs=1, spare=0, fewer=0, scale=0.0):
        given = [np.full(len(arguments[0]), 7.0) for _ in range(spare + outputs)]
        function(*arguments, *given)
        for found, wanted in zip(given[spare:], expected if outputs > 1 else [expected], strict=True):
            wanted = np.asarray(wanted, float)
            assert np.isnan(found).sum() + fewer == np.isnan(wanted).sum()
            both = ~np.isnan(found) & ~np.isnan(wanted)
            assert both.sum() > 100
            np.testing.assert_allclose(found[both], wanted[both], rtol=1e-8, atol=1e-8 * scale)

    return check
