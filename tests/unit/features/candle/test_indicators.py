"""Windows and indicators on arrays of candles: against plain loops, where nothing moves, and after a hole."""

from dataclasses import dataclass
from itertools import pairwise
from math import isnan, log, nan, sqrt

import numpy as np
import pytest
import talib

from ml.candles.bars import Bars
from ml.features.candle import indicators as of
from tests.support.candles import walk

N = 20


@dataclass(frozen=True)
class Case:
    """An indicator, and the same of one window of closes."""

    name: str
    found: object
    slow: object
    rows: int = N


def centred(w):
    return [x - sum(w) / len(w) for x in w]


def steps(w):
    return [b - a for a, b in pairwise(w)]


CASES = [
    Case("total", lambda x: of.total(x, N), sum),
    Case("mean", lambda x: of.mean(x, N), lambda w: sum(w) / N),
    Case("sd", lambda x: of.sd(x, N), lambda w: sqrt(sum(d * d for d in centred(w)) / N)),
    Case("mean deviation", lambda x: of.mean_deviation(x, N), lambda w: sum(map(abs, centred(w))) / N),
    Case("top", lambda x: of.top(x, N), max),
    Case("bottom", lambda x: of.bottom(x, N), min),
    Case("rank", lambda x: of.rank(x, N), lambda w: sum(x < w[-1] for x in w[:-1]) / N, N + 1),
    Case("third smallest", lambda x: of.smallest(x, N, 3)[0], lambda w: sorted(w)[2]),
    Case("mean of the smallest", lambda x: of.smallest(x, N, 3)[1], lambda w: sum(sorted(w)[:3]) / 3),
    Case("linearity", lambda x: of.linearity(x, N), lambda w: np.corrcoef(w, range(N))[0, 1] ** 2),
    Case("way", lambda x: of.way(x, N), lambda w: sum(map(abs, steps(w))), N + 1),
    Case(
        "efficiency",
        lambda x: of.efficiency(x, N),
        lambda w: abs(w[-1] - w[0]) / sum(map(abs, steps(w))),
        N + 1,
    ),
    Case(
        "rsi of a window",
        lambda x: of.window_rsi(x, N),
        lambda w: 100 * sum(s for s in steps(w) if s > 0) / sum(map(abs, steps(w))),
        N + 1,
    ),
]


@pytest.fixture(scope="module")
def bars():
    """A random walk of candles."""
    o, h, x, c, v = (column[:300] for column in walk(300))
    return Bars(np.arange(300), o, h, x, c, v, c * v)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_window_depends_on_its_own_values_alone(case, bars):
    """Each value as a plain loop gives it; a NaN is gone as soon as it has left the window."""
    wanted = [case.slow(bars.close[i + 1 - case.rows : i + 1].tolist()) for i in range(case.rows - 1, 300)]
    found = case.found(bars.close)
    assert np.isnan(found[: case.rows - 1]).all()
    np.testing.assert_allclose(found[case.rows - 1 :], wanted, rtol=1e-9, atol=1e-12)
    holed = bars.close.copy()
    holed[100] = nan
    np.testing.assert_array_equal(case.found(holed)[100 + case.rows :], found[100 + case.rows :])


@pytest.mark.parametrize("size", [1, N - 1, N])
def test_fewer_rows_than_a_window_have_no_value(size, bars):
    """A window is full or has no value."""
    short = of.total(bars.close[:size], N)
    assert np.isnan(short[: N - 1]).all()
    assert isnan(short[-1]) == (size < N)


def test_equal_values_do_not_deviate():
    """By the last bit of a mean."""
    same = np.full(100, 0.1 + 0.2)
    assert set(of.sd(same, N)[N:]) == set(of.mean_deviation(same, N)[N:]) == {0.0}


def test_where_nothing_moves_there_is_no_value(bars):
    """TA-Lib gives 0, which would be a strong signal; as soon as something moves there is one."""
    rows = of.wilder_settles(14) + 20
    flat = Bars(np.arange(rows), *np.full((4, rows), 5.0), *np.ones((2, rows)))
    with np.errstate(all="ignore"):
        columns = [of.rsi(flat.close, 14), of.ultimate(flat), of.cci(flat.close, N), of.stochastic(flat, 14)]
    for column in (*columns, *of.directional(flat, 14)[:2]):
        assert not np.isfinite(column[-1])
    assert np.isfinite(of.rsi(np.append(flat.close, 5.1), 14)[-1])
    assert np.isfinite(of.ultimate(bars)[-1])


def test_indicators_are_those_of_ta_lib_where_definitions_agree(bars):
    """Those that are computed as windows here, against the library's own loops."""
    h, x, c, v = bars.high, bars.low, bars.close, bars.volume
    pairs = [
        (of.cci(bars.typical, N), talib.CCI(h, x, c, N)),
        (of.mfi(bars, 14), talib.MFI(h, x, c, v * 1e9, 14)),
        (of.stochastic(bars, 14) - 100.0, talib.WILLR(h, x, c, 14)),
        (of.true_range(bars), talib.TRANGE(h, x, c)),
        (of.directional(bars, 14)[3], talib.ADXR(h, x, c, 14)),
        (of.sd(c, N), talib.STDDEV(c, N)),
    ]
    for found, wanted in pairs:
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)


def test_ranges_as_volatility(bars):
    """Parkinson and Garman-Klass of a window, written out."""
    rows = list(zip(bars.open, bars.high, bars.low, bars.close, strict=True))[-N:]
    parkinson = sqrt(sum(log(h / x) ** 2 for _, h, x, _ in rows) / (4 * N * log(2)))
    terms = (log(h / x) ** 2 / 2 - (2 * log(2) - 1) * log(c / o) ** 2 for o, h, x, c in rows)
    assert of.parkinson(bars, N)[-1] == pytest.approx(parkinson, rel=1e-12)
    assert of.garman_klass(bars, N)[-1] == pytest.approx(sqrt(sum(terms) / N), rel=1e-12)


def test_a_decayed_average_forgets():
    """Y = (1 - decay) x + decay y from the first known value on."""
    found = of.decayed(np.array([nan, 1.0, 0.0, 2.0]), 0.75)
    np.testing.assert_allclose(found, [nan, 1.0, 0.75, 0.25 * 2.0 + 0.75 * 0.75])
