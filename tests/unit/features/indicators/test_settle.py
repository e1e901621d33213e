"""How long recursive averages remember."""

import numpy as np
import pytest

from ml.features.indicators import averages, settle
from tests.support.candles import walk


@pytest.mark.parametrize(("name", "settles"), [("ema", settle.ema_settles), ("wilder", settle.wilder_settles)])
@pytest.mark.parametrize("n", [5, 14, 50])
def test_settled_values_forget_where_they_began(name, settles, n):
    """To 1e-9 from the declared row on, whatever came before; not twenty rows of n earlier."""
    x = walk(4_000)[3]
    whole = np.empty(4_000)
    getattr(averages, name)(x, n, whole)
    for begin in (1, 500, 2_000):
        started = x[begin:].copy()
        part = np.empty(4_000 - begin)
        started[:n] *= 100
        getattr(averages, name)(started, n, part)
        change = np.abs(part / whole[begin:] - 1)
        assert change[settles(n) :].max() < 1e-9
        assert change[settles(n) // 2] > 1e-9
