"""A month of candles out of stored days, with what lies around it."""

import polars as pl
import pytest

from ml.candles.from_trades import TIMEFRAMES
from ml.candles.months import bounds, inside, read
from ml.core.errors import SettingsError
from ml.storage.commit import publish
from ml.tables.schemas import SCHEMAS
from tests.support.candles import PAIR, candle_frame

MINUTE = TIMEFRAMES["1m"]
STEP = TIMEFRAMES["15m"]
DAY = TIMEFRAMES["1d"]
FEBRUARY = bounds("2025-02")[0]
MARCH = bounds("2025-03")[0]


def put(root, date, frame, table="candles"):
    schema = SCHEMAS[table]
    publish(root, table, root.partition(table, date, PAIR.id), frame.select(schema.names()).cast(dict(schema)), "t")


def day(start, step=MINUTE):
    return candle_frame(DAY // step, first=start, step=step)


def test_bounds_of_a_month():
    """Also of a short one and of the last of the year."""
    assert MARCH - FEBRUARY == 28 * DAY
    assert bounds("2024-12")[1] == bounds("2025-01")[0]
    with pytest.raises(SettingsError, match="2025-03"):
        bounds("2025-13")


def test_days_before_and_after_the_month(root):
    """As many candles of 15 minutes as were asked for, each exactly its minutes."""
    put(root, "2025-02-28", day(MARCH - DAY))
    put(root, "2025-03-01", day(MARCH))
    rows = read(root, PAIR, "2025-02", "15m", after=10)
    assert rows["ts"].to_list() == list(range(MARCH - DAY + STEP, MARCH + 10 * STEP + 1, STEP))
    assert rows["volume"][0] == day(MARCH - DAY)["volume"][:15].sum()
    later = read(root, PAIR, "2025-03", "15m", before=3)
    assert later["ts"][0] == MARCH - 2 * STEP
    assert later.filter(inside("2025-03"))["ts"][0] == MARCH + STEP
    assert rows.filter(inside("2025-02"))["ts"][-1] == MARCH


def test_the_venues_candle_stands_where_ours_is_not_known(root):
    """Ours where it is known, also where the venue has another; a reason where neither knows."""
    lost = pl.int_range(pl.len()).is_between(15, 44)
    values = ["open", "high", "low", "close", "volume", "notional", "n_trades", "buy_volume"]
    ours = day(MARCH).with_columns(
        *(pl.when(~lost).then(name).alias(name) for name in values), reason=pl.when(lost).then(pl.lit("silent"))
    )
    theirs = candle_frame(2, seed=8, first=MARCH, step=STEP).with_columns(timeframe=pl.lit("15m"))
    put(root, "2025-03-01", ours)
    put(root, "2025-03-01", theirs, "rest_candles")
    rows = read(root, PAIR, "2025-03", "15m")
    assert rows.height == 96
    assert rows["volume"][0] == ours["volume"][:15].sum()
    assert rows["volume"][1] == theirs["volume"][1]
    assert rows["reason"][:4].to_list() == [None, None, "silent", None]


def test_nothing_stored_is_no_candle(root):
    """An empty frame of the right columns."""
    assert read(root, PAIR, "2025-03", "15m").equals(pl.DataFrame(schema=SCHEMAS["candles"]))
