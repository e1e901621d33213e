"""Candles from trades: against SQL, conserved, stamped at their close, and never filled where nothing is known."""

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.candles.from_trades import NOT_CAPTURED, TIMEFRAMES, from_trades, kinds, resample
from ml.core.errors import DatasetError
from ml.core.time import MINUTE, bounds
from ml.market.days.infer_instrument import infer_instrument
from ml.storage.commit import read
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.support.days import decode_day, raw_day
from tests.support.scenario import INSTRUMENT, USDM, chain_of

SECOND = 10**9
START = 1_741_046_400 * SECOND
HOUR = 60 * MINUTE
DATE = "2025-03-03"
SQL = """
select (event_ts // 60000000000 + 1) * 60000000000 as ts,
       arg_min(price, row) as open, max(price) as high, min(price) as low, arg_max(price, row) as close,
       sum(size)::bigint as volume, sum(price::hugeint * size)::bigint as notional, count(*) as n_trades,
       coalesce(sum(size) filter (side = 1), 0)::bigint as buy_volume
from (select *, row_number() over (order by event_ts, arrival) as row from trades)
group by all order by ts
"""


def trade_rows(*rows):
    """Trades (seconds after the start, price, size, side) in order of arrival."""
    columns = {
        "event_ts": [START + int(s * SECOND) for s, *_ in rows],
        "price": [p for _, p, _, _ in rows],
        "size": [q for _, _, q, _ in rows],
        "side": [side for *_, side in rows],
    }
    return pl.DataFrame(columns, schema={name: SCHEMAS["trades"][name] for name in columns})


def known(*spans):
    """Intervals (from, to, reason) in seconds after the start."""
    columns = ("start_ts", "end_ts", "end_reason")
    rows = [(START + int(a * SECOND), START + int(b * SECOND), reason) for a, b, reason in spans]
    return pl.DataFrame(rows, schema={name: SCHEMAS["validity"][name] for name in columns}, orient="row")


def hour(trades, validity, timeframe="1m"):
    return conform(from_trades(trades, validity, START, START + HOUR, timeframe), SCHEMAS["candles"], "candles")


WHOLE = known((0, 3_600, None))
PRINTS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 60).map(lambda m: min(m * 60, 3_599)), st.floats(-5, 3_599.9)),
        st.integers(1, 10**6),
        st.integers(1, 10**6),
        st.sampled_from([1, -1]),
    ),
    max_size=60,
).map(lambda rows: trade_rows(*rows))
REASONS = st.sampled_from(["sequence_gap", "silent", "capture_end", None])
SPANS = st.lists(st.integers(0, 3_600), max_size=8).flatmap(
    lambda cuts: st.lists(REASONS, min_size=len(cuts) // 2, max_size=len(cuts) // 2).map(
        lambda reasons: known(*zip(sorted(cuts)[::2], sorted(cuts)[1::2], reasons, strict=False))
    )
)


def test_a_simulated_day_is_what_sql_says(ingested):
    """Every minute that is known and traded, in every column, by an independent GROUP BY."""
    trades = read(ingested.partition("trades", DATE, INSTRUMENT.id)).collect()  # read by the SQL
    captured = read(ingested.partition("trade_validity", DATE, INSTRUMENT.id)).collect()
    candles = from_trades(trades, captured, *bounds(DATE))
    expected = duckdb.sql(SQL).pl()
    traded = candles.filter(pl.col("n_trades") > 0).drop("reason")
    assert_frame_equal(traded, expected.filter(pl.col("ts").is_in(traded["ts"].implode())))
    lost = expected.filter(~pl.col("ts").is_in(traded["ts"].implode()))["ts"]
    assert set(candles.filter(pl.col("ts").is_in(lost.implode()))["reason"]) <= {NOT_CAPTURED, "sequence_gap"}
    assert (candles.height, traded.height > 100) == (1_440, True)


def test_recorded_trades_are_what_sql_says(market):
    """Eight minutes of USD-M BTCUSDT across midnight: whole minutes as SQL has them, the ends not known."""
    chain = chain_of(*sorted((market / "binance_raw").glob("usdm__btcusdt_*.gz")))
    instrument = infer_instrument(chain, USDM)
    decoded = decode_day(raw_day(chain, instrument, "2024-07-19"), instrument, "2024-07-19")
    trades = decoded.trades
    candles = from_trades(trades, decoded.trade_validity, *bounds("2024-07-19"))
    expected = duckdb.sql(SQL).pl()
    traded = candles.filter(pl.col("n_trades") > 0).drop("reason")
    assert_frame_equal(traded, expected.filter(pl.col("ts").is_in(traded["ts"].implode())))
    assert 5 <= traded.height < expected.height <= 8
    assert kinds(candles).filter(kind="traded")["candles"].item() == traded.height


def test_a_candle_is_stamped_with_its_close():
    """A print at the full minute opens the candle that is stamped a minute later."""
    candles = hour(trade_rows((59.999, 100, 1, 1), (60, 101, 2, -1), (61, 99, 3, 1)), WHOLE)
    assert candles.row(0) == (START + MINUTE, 100, 100, 100, 100, 1, 100, 1, 1, None)
    assert candles.row(1) == (START + 2 * MINUTE, 101, 101, 99, 99, 5, 499, 2, 3, None)
    assert candles.row(2) == (START + 3 * MINUTE, None, None, None, None, 0, 0, 0, 0, None)


@given(PRINTS)
def test_no_print_is_at_or_after_its_candles_stamp(trades):
    """Cutting the trades at a stamp changes no candle up to it: none knows the future."""
    candles = hour(trades, WHOLE)
    for stamp in candles["ts"].gather_every(7):
        before = hour(trades.filter(pl.col("event_ts") < stamp), WHOLE)
        assert_frame_equal(before.filter(pl.col("ts") <= stamp), candles.filter(pl.col("ts") <= stamp))


@given(PRINTS)
def test_every_print_counts_once(trades):
    """Volumes, notional and counts are those of the trades, late ones included."""
    sums = hour(trades, WHOLE).select(pl.col("volume", "notional", "n_trades", "buy_volume").sum()).row(0)
    rows = list(trades.iter_rows())
    bought = sum(size for _, _, size, side in rows if side > 0)
    assert sums == (sum(r[2] for r in rows), sum(r[1] * r[2] for r in rows), len(rows), bought)


@given(PRINTS, SPANS)
def test_coarser_candles_are_those_of_the_trades(trades, validity):
    """5 min, 15 min and 1 h out of minutes equal the direct ones, values and reasons."""
    minutes = hour(trades, validity)
    for name, frame in resample(minutes, ["5m", "15m", "1h"]).items():
        assert_frame_equal(frame, hour(trades, validity, name))
    assert_frame_equal(
        resample(resample(minutes, ["5m"])["5m"], ["15m"], "5m")["15m"], resample(minutes, ["15m"])["15m"]
    )


@given(SPANS)
def test_a_candle_is_known_exactly_if_every_instant_of_it_is(validity):
    """The slow way: each second of the minute must lie in an interval, and no break within."""
    spans = [((a - START) // SECOND, (b - START) // SECOND, reason) for a, b, reason in validity.iter_rows()]
    breaks = {b for _, b, reason in spans if reason is not None}
    for minute, reason in enumerate(hour(trade_rows(), validity)["reason"]):
        seconds = range(minute * 60, minute * 60 + 60)
        inside = all(any(a <= s < b for a, b, _ in spans) for s in seconds)
        assert (reason is None) == (inside and breaks.isdisjoint(seconds)), minute


@pytest.mark.parametrize(
    ("validity", "reasons"),
    [
        (known((0, 90, "silent"), (95, 3_600, None)), [None, "silent", None]),
        (known((0, 60, "reconnect"), (60, 3_600, None)), [None, "reconnect", None]),
        (known((10, 120, "capture_end")), [NOT_CAPTURED, None, "capture_end"]),
        (known((0, 70, "crossed"), (80, 100, "silent"), (150, 3_600, None)), [None, "crossed", "silent"]),
        (known((30, 30, "no_snapshot")), [NOT_CAPTURED, "no_snapshot", "no_snapshot"]),
        (known(), [NOT_CAPTURED] * 3),
    ],
)
def test_what_was_not_captured_is_null_with_the_reason(validity, reasons):
    """The first cause counts; not even trades that were seen make a candle of it."""
    candles = hour(trade_rows((1, 100, 1, 1), (70, 100, 1, 1), (130, 100, 1, 1)), validity).head(3)
    assert candles["reason"].to_list() == reasons
    assert candles["volume"].to_list() == candles["n_trades"].to_list() == [None if r else 1 for r in reasons]
    assert candles["close"].to_list() == [None if r else 100 for r in reasons]


def test_kinds_count_each_candle_once():
    """Traded, quiet, or why not known."""
    candles = hour(trade_rows((1, 100, 1, 1)), known((0, 600, "silent")))
    assert dict(kinds(candles).iter_rows()) == {"traded": 1, "quiet": 9, "silent": 50}


def test_trades_of_one_time_keep_their_order():
    """The exchange matched them one after the other."""
    candles = hour(trade_rows((5, 103, 1, 1), (1, 100, 1, 1), (1, 101, 1, 1), (5, 102, 1, 1)), WHOLE)
    assert candles.select("open", "close").row(0) == (100, 102)


def test_a_print_that_came_after_midnight_counts_in_the_first_minute():
    """Its own minute is of the day before, whose frames do not hold it; it must not be lost."""
    candles = hour(trade_rows((3, 101, 2, 1), (-5, 100, 1, 1)), WHOLE)
    assert candles.select("open", "close", "volume", "n_trades").row(0) == (100, 101, 3, 2)


def test_a_missing_minute_makes_the_hour_unknown():
    """A frame that was cut is no whole hour."""
    minutes = hour(trade_rows((1, 100, 1, 1)), WHOLE)
    cut = resample(minutes.tail(59), ["1h"])["1h"]
    assert cut.select("volume", "reason").row(0) == (None, NOT_CAPTURED)


def test_what_cannot_be_is_refused():
    """No multiple, and a sum beyond 64 bits instead of a wrapped one."""
    with pytest.raises(DatasetError, match="3m candles cannot be computed from 5m candles"):
        resample(hour(trade_rows(), WHOLE, "5m"), ["3m"], "5m")
    with pytest.raises(DatasetError, match=r"1 sums of notional do not fit 64 bits \(first at 17410464"):
        hour(trade_rows((1, 2**40, 2**30, 1)), WHOLE)
    half = hour(trade_rows((1, 2**32, 2**30, 1), (61, 2**32, 2**30, 1)), WHOLE)
    with pytest.raises(DatasetError, match="1 sums of notional"):
        resample(half, ["5m"])


def test_no_timeframe_crosses_midnight():
    """Each divides the day."""
    assert all(24 * HOUR % step == 0 for step in TIMEFRAMES.values())
