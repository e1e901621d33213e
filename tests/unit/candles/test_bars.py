"""Candles as intervals without a hole."""

import numpy as np
import polars as pl
import pytest

from ml.candles.bars import intervals_of
from ml.core.errors import DatasetError
from tests.support.candles import PAIR, candle_frame

STEP = 15 * 60 * 10**9


def rows_of(frame):
    return [(s.rows.start, s.rows.stop) for s in intervals_of(frame, PAIR, STEP)]


def without(frame, *rows):
    """The frame with some candles not known."""
    hole = pl.int_range(pl.len()).is_in(rows)
    values = ("open", "high", "low", "close", "volume", "notional", "n_trades")
    return frame.with_columns(
        *(pl.when(~hole).then(name).alias(name) for name in values), reason=pl.when(hole).then(pl.lit("silent"))
    )


def test_prices_in_whole_currency():
    """Units of the instrument become numbers; times stay ns."""
    frame = candle_frame(5)
    (stretch,) = intervals_of(frame, PAIR, STEP)
    assert stretch.bars.ts.tolist() == frame["ts"].to_list()
    np.testing.assert_allclose(stretch.bars.close, frame["close"].to_numpy() / 1e6)
    np.testing.assert_allclose(stretch.bars.turnover, frame["notional"].to_numpy() / 1e12)


@pytest.mark.parametrize(
    ("holes", "expected"),
    [
        ((), [(0, 9)]),
        ((0,), [(1, 9)]),
        ((8,), [(0, 8)]),
        ((3, 4), [(0, 3), (5, 9)]),
        ((1, 3), [(0, 1), (2, 3), (4, 9)]),
        (range(9), []),
    ],
)
def test_a_candle_that_is_not_known_ends_a_stretch(holes, expected):
    """At the edges, twice in a row, around a single candle, or everywhere."""
    assert rows_of(without(candle_frame(9), *holes)) == expected


def test_a_missing_row_ends_a_stretch():
    """As a row without values would."""
    frame = candle_frame(9)
    assert rows_of(pl.concat([frame[:4], frame[5:]])) == [(0, 4), (4, 8)]


def test_a_price_is_not_carried_over_a_hole():
    """A quiet candle after one that is not known has no price."""
    frame = without(candle_frame(9), 3)
    quiet = pl.int_range(pl.len()).is_in([4, 7])
    frame = frame.with_columns(
        *(pl.when(~quiet).then(name).alias(name) for name in ("open", "high", "low", "close")),
        *(pl.when(quiet).then(0).otherwise(name).alias(name) for name in ("volume", "notional")),
    )
    assert rows_of(frame) == [(0, 3), (5, 9)]
    *_, last = intervals_of(frame, PAIR, STEP)
    assert last.bars.close[2] == last.bars.high[2] == last.bars.close[1]
    assert last.bars.volume[2] == 0


def test_times_off_the_grid_are_refused():
    """One-minute candles are no fifteen-minute candles."""
    with pytest.raises(DatasetError, match=r"sim.PAIR: 28 of 30 times are off the grid of 900 s .*resample"):
        list(intervals_of(candle_frame(30, step=60 * 10**9), PAIR, STEP))
