"""The predecessor's columns against the slow oracle, and where they are null."""

import numpy as np
import polars as pl
import pytest

from ml.catalog.tables import TABLES
from ml.core.errors import DatasetError
from ml.features.legacy.build import Day, build
from ml.features.legacy.feature import FAMILIES
from ml.features.legacy.table import ABSENT, BEGUN, LEGACY_110, LEGACY_112
from ml.market.book import layout
from ml.tables.schemas import NullReason
from tests.oracles import legacy
from tests.support.legacy_days import GAP, MINUTE, PAIR, bars

REASONS = [f"null_reason_{family}" for family in FAMILIES]
both_sets = pytest.mark.parametrize("chosen", [LEGACY_110, LEGACY_112], ids=lambda chosen: chosen.name)


def same(row, wanted, chosen):
    """All columns of the families that the oracle gives, to 1e-9."""
    for name, value in wanted.items():
        if name in chosen.columns:
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@both_sets
@pytest.mark.parametrize("i", [0, 7, 300, 699, 900, 1_439])
def test_every_column_is_the_oracles(days, chosen, i):
    """Written out from lists of levels and candles; together they give every column that is available."""
    day, rows = days[chosen.name]
    window = np.concatenate([day.tail, day.samples])
    row = rows.row(i, named=True)
    kept = bars(day.candles, row["ts"])[-BEGUN[chosen.name] :]
    book = legacy.orderbook(window, i + 60, PAIR)
    wanted = book | legacy.candle(kept) | legacy.indicators(kept, chosen is LEGACY_112)
    same(row, wanted, chosen)
    assert set(chosen.columns) <= set(wanted) | ABSENT
    assert [row[name] for name in REASONS] == [0, 0, 0]


@both_sets
def test_the_table_has_its_columns_in_the_files_order(days, chosen):
    """Time, the columns, a reason per family."""
    _, rows = days[chosen.name]
    assert TABLES[chosen.name].conform(rows).columns == rows.columns


@both_sets
def test_what_cannot_be_had_is_null_and_no_reason_of_a_row(days, chosen):
    """Nothing is invented; every other column has values."""
    _, rows = days[chosen.name]
    nulls = {name for name in chosen.columns if rows[name].null_count() == rows.height}
    assert nulls == ABSENT & set(chosen.columns)


def test_a_gap_of_the_book_nulls_the_columns_of_the_book(days):
    """In it all of them, after it those that look back over it; minutes stay."""
    day, rows = days["legacy_112"]
    codes = rows["null_reason_orderbook"].to_numpy()
    assert set(codes[GAP]) == {NullReason.INVALID_BOOK}
    assert set(codes[720:779]) == {NullReason.WARM_UP}
    assert set(codes[:700]) == set(codes[780:]) == {NullReason.NONE}
    for feature in day.chosen.features[:50]:
        if feature.id not in ABSENT:
            known = rows[feature.id].is_not_null().to_numpy()
            back = max(feature.needs, 1)
            # the first sample after the gap ends a second that was not whole
            assert not known[GAP].any()
            assert known[720 + back :].all()
            assert back == 1 or not known[720 : 720 + back - 1].any()
    assert rows["null_reason_candle"].sum() == rows["null_reason_indicator"].sum() == 0


def test_one_side_and_a_stale_book(days):
    """Each has its own reason."""
    day, _ = days["legacy_112"]
    samples = day.samples[:3].copy()
    samples[0, layout.VALID] = samples[0, layout.BID_PRICE] = 0
    samples[1, layout.BOOK_AGE] = 61 * 10**9
    codes = build(day._replace(samples=samples))["null_reason_orderbook"].to_list()
    assert codes == [NullReason.ONE_SIDED, NullReason.STALE, NullReason.NONE]


def test_minutes_that_are_not_known(days):
    """Without the last minute no candle; one that is missing before it is a new beginning."""
    day, rows = days["legacy_110"]
    last = int(rows["ts"][-1]) // MINUTE * MINUTE
    found = build(day._replace(candles=day.candles.filter(pl.col("ts") != last - 3 * MINUTE)))
    at = {k: found.filter(pl.col("ts") == last - k * MINUTE).row(0, named=True) for k in (4, 3, 1)}
    assert [at[k]["null_reason_candle"] for k in (4, 3, 1)] == [0, NullReason.NO_CANDLE, NullReason.WARM_UP]
    assert at[1]["returns"] is not None
    assert at[1]["volume_ma_ratio"] is None
    assert at[1]["null_reason_indicator"] == NullReason.WARM_UP


def test_a_minute_counts_from_its_close_on(days):
    """The row at the full minute has it, the second before has the one before."""
    day, rows = days["legacy_112"]
    full = rows.filter(pl.col("ts") % MINUTE == 0)["ts"][5]
    closes = dict(day.candles.select("ts", pl.col("close").forward_fill() / 100).iter_rows())
    got = dict(rows.select("ts", "close").iter_rows())
    assert (got[full], got[full - 10**9]) == (closes[full], closes[full - MINUTE])


def test_the_newest_row_alone(days):
    """A minute of samples and the kept candles give the row that a day gives."""
    for name, (day, rows) in days.items():
        alone = build(day._replace(samples=day.samples[-1:], tail=day.samples[-60:-1]))
        for column in rows.columns:
            wanted = rows[column][-1]
            found = alone[column][0]
            assert found == (None if wanted is None else pytest.approx(wanted, rel=1e-9, abs=1e-9)), (name, column)


def test_nothing_gives_rows_of_nothing():
    """No samples, or no candles: the same columns."""
    none = np.zeros((0, layout.COLUMNS), np.int64)
    empty = pl.DataFrame(schema={"ts": pl.Int64}).with_columns(
        *(pl.lit(None, pl.Int64).alias(name) for name in ("open", "high", "low", "close", "volume", "notional")),
        reason=pl.lit(None, pl.String),
    )
    assert build(Day(none, none, empty, PAIR)).shape == (0, 1 + 112 + 3)


def test_candles_off_the_grid_are_refused(days):
    """Like everywhere: which instrument and how many."""
    day, _ = days["legacy_112"]
    with pytest.raises(DatasetError, match=r"sim.PAIR: .* off the grid"):
        build(day._replace(candles=day.candles.with_columns(pl.col("ts") + 1)))
