"""`unified_240` from any beginning, one candle at a time, and across holes; the formulas are tested by family."""

import numpy as np
import polars as pl
import pytest

from ml.core.errors import DatasetError
from ml.features.candle.build import build, compute
from ml.features.candle.columns import FAMILIES
from ml.features.candle.table import UNIFIED
from ml.features.tables import CANDLE_TABLE
from ml.tables.schemas import NullReason
from tests.support.candles import PAIR, candle_frame
from tests.unit.features.candle.conftest import close, floats

each = pytest.mark.parametrize("column", UNIFIED.columns, ids=lambda column: column.id)
REASONS = [f"null_reason_{family}" for family in FAMILIES]


@pytest.fixture(scope="module")
def started():
    """Rows started over at several candles, some of them in the middle of a day, with the candle they begin at."""
    candles = candle_frame()
    return {first: build(candles[first:], PAIR) for first in (1, 500, 1_003, 1_777)}


@each
def test_the_declared_look_back_is_enough(both, started, column):
    """Wherever the candles begin, a value is the same as from the whole history, or null."""
    whole = floats(both.ours, column.id)
    for first, rows in started.items():
        part = floats(rows, column.id)[column.needs - 1 :]
        close(part, whole[first + column.needs - 1 :], np.nanmax(np.abs(whole)))


@pytest.fixture(scope="module")
def table(both):
    """All values of a frame, f64 (rows, 240), in the sizes of the columns, so that one tolerance fits all."""
    sizes = both.ours.select(pl.col(UNIFIED.names).abs().max()).to_numpy()

    def values(frame):
        return frame.select(pl.col(UNIFIED.names).fill_null(float("nan"))).to_numpy() / sizes

    return values


@pytest.mark.parametrize("row", [2_999, 2_500, 1_801])
def test_the_newest_candle_alone(both, table, row):
    """A trailing window as long as the look-back gives the row that batch gives, with the same reasons."""
    newest = build(both.candles[row + 1 - UNIFIED.look_back : row + 1], PAIR)[-1]
    assert newest.select(REASONS).row(0) == both.ours.select(REASONS).row(row) == (0,) * len(FAMILIES)
    close(table(newest), table(both.ours[row]), 1.0)


def test_nothing_looks_ahead(both, table):
    """Cutting the candles off at 200 random times changes no value of the last row."""
    for row in np.random.default_rng(3).integers(0, both.candles.height, 200).tolist():
        cut = build(both.candles[max(row - 900, 0) : row + 1], PAIR)[-1]
        close(table(cut), table(both.ours[row]), 1.0)


def test_a_scrambled_future_changes_nothing(both):
    """Other candles after a time leave every row up to it bit for bit."""
    for row in (1_000, 2_000):
        scrambled = pl.concat([both.candles[: row + 1], candle_frame(seed=9)[row + 1 :]])
        assert build(scrambled, PAIR)[: row + 1].equals(both.ours[: row + 1])
        assert not build(scrambled, PAIR)[row + 1 :].equals(both.ours[row + 1 :])


def unknown(candles, *rows):
    """The candles, some of them not known."""
    hole = pl.int_range(pl.len()).is_in(rows)
    values = [name for name in candles.columns if name not in ("ts", "reason")]
    return candles.with_columns(
        *(pl.when(~hole).then(name).alias(name) for name in values), reason=pl.when(hole).then(pl.lit("silent"))
    )


def test_a_hole_is_a_new_beginning(both):
    """After a candle that is not known every value is that of candles that begin there; before it nothing changes."""
    rows = build(unknown(both.candles, 1_500), PAIR)
    fresh = build(both.candles[1_501:], PAIR)
    assert rows[:1_500].equals(both.ours[:1_500])
    assert rows[1_501:].equals(fresh)
    assert set(rows.select(REASONS).row(1_500)) == {NullReason.NO_CANDLE}
    assert rows.select(UNIFIED.names).row(1_500) == (None,) * 240


def test_a_missing_row_is_a_hole(both):
    """Nothing is joined over a time that is not there."""
    rows = build(pl.concat([both.candles[:1_500], both.candles[1_501:]]), PAIR)
    assert rows[1_500:].equals(build(both.candles[1_501:], PAIR))


def test_why_a_row_is_null(both):
    """`warm_up` up to the longest look-back of a family, then none; a market without a range has undefined values."""
    longest = dict.fromkeys(FAMILIES, 0)
    for column, family in zip(UNIFIED.columns, UNIFIED.families, strict=True):
        longest[family] = max(longest[family], column.needs)
    for family, needs in longest.items():
        codes = both.ours[f"null_reason_{family}"]
        assert set(codes[: needs - 1]) <= {NullReason.WARM_UP}
        assert set(codes[needs - 1 :]) == {NullReason.NONE}
    flat = both.candles.with_columns(high="close", low="close", open="close")
    assert set(build(flat, PAIR)["null_reason_price"][1_000:]) == {NullReason.UNDEFINED}


def test_quiet_candles_stand_at_the_last_price(both):
    """Nobody traded: volume 0 at the price before, as a venue writes it; at the very beginning nothing is known."""
    prices = ["open", "high", "low", "close"]
    quiet = pl.int_range(pl.len()).is_in([0, 1_500, 1_501])
    silent = both.candles.with_columns(
        *(pl.when(~quiet).then(name).alias(name) for name in prices),
        *(pl.when(quiet).then(0).otherwise(name).alias(name) for name in ("volume", "notional", "n_trades")),
    )
    repeated = silent.with_columns(pl.col("close").forward_fill()).with_columns(
        pl.col(name).fill_null(pl.col("close")) for name in prices[:3]
    )
    rows = build(silent, PAIR)
    assert rows[1:].equals(build(repeated[1:], PAIR))
    assert rows["null_reason_price"][0] == NullReason.NO_CANDLE


def test_a_venue_without_turnover_has_no_feature_of_it(both):
    """Undefined, not guessed from price and volume; the rest stays."""
    rows = build(both.candles.with_columns(notional=pl.lit(None, pl.Int64)), PAIR)
    assert rows["turnover"].null_count() == rows["close_vwap_ratio"].null_count() == rows.height
    assert rows["rsi"].equals(both.ours["rsi"])


@pytest.mark.parametrize(("change", "says"), [(1, "off the grid"), (-2 * 900 * 10**9, "are not ascending")])
def test_times_that_cannot_be_are_refused(both, change, says):
    """Off the grid, or going back; the message says how many and the first."""
    ts = pl.when(pl.int_range(pl.len()) == 7).then(pl.col("ts") + change).otherwise("ts")
    with pytest.raises(DatasetError, match=f"sim.PAIR: 1 of 3000 times .*{says}|sim.PAIR: 1 of 3000 times {says}"):
        build(both.candles.with_columns(ts), PAIR)


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 17, 97])
def test_few_candles_have_few_values(rows):
    """Any number of candles gives as many rows of the schema."""
    found = build(candle_frame(max(rows, 1))[:rows], PAIR)
    assert CANDLE_TABLE.conform(found).height == rows


def test_prices_may_be_counted_otherwise(both):
    """What has no currency in its unit is the same in cents."""
    from dataclasses import replace

    cents = build(both.candles, replace(PAIR, price_decimals=4))
    for column in UNIFIED.columns:
        if "quote" not in column.unit and column.id not in ("funding_proxy",):
            close(floats(cents, column.id), floats(both.ours, column.id), both.ours[column.id].abs().max())


def test_compute_writes_every_value():
    """What stood in the output before is gone."""
    from ml.candles.bars import intervals_of
    from ml.features.candle.columns import STEP

    (stretch,) = intervals_of(candle_frame(300), PAIR, STEP)
    one = np.full((240, 300), 1.0)
    other = np.full((240, 300), 2.0)
    compute(stretch.bars, one)
    compute(stretch.bars, other)
    np.testing.assert_array_equal(one, other)
