"""Our candles beside a venue's: what agrees, what differs, and that a quiet minute is no outage."""

import orjson
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.candles.from_trades import from_trades
from ml.candles.klines import CARRIED_OPEN, candle, stamp
from ml.candles.reconcile import COMPARED, reconcile
from ml.core.instruments import Instrument, to_units
from ml.core.time import MINUTE
from ml.tables.schemas import SCHEMAS

SCHEMA = SCHEMAS["candles"]
TRADED = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 5, "notional": 53, "n_trades": 3, "buy_volume": 2}
QUIET = dict.fromkeys(TRADED, 0) | dict.fromkeys(("open", "high", "low", "close"))
REPEATED = QUIET | dict.fromkeys(("open", "high", "low", "close"), 11)
UNKNOWN = {"reason": "silent"}
ABSENT = {"reason": "not_published"}


def candles(*values):
    """Candles of successive minutes, None for no row."""
    rows = [{"ts": (k + 1) * MINUTE} | value for k, value in enumerate(values) if value is not None]
    return pl.DataFrame(rows, schema=SCHEMA)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (TRADED, TRADED, "agree"),
        (TRADED, TRADED | {"n_trades": None, "buy_volume": None, "notional": None}, "agree"),
        (TRADED, TRADED | {"notional": 52}, "agree"),
        (QUIET, REPEATED, "quiet"),
        (QUIET, ABSENT, "quiet"),
        (QUIET, None, "quiet"),
        (TRADED, TRADED | {"close": 12}, "differs"),
        (TRADED, REPEATED, "differs"),
        (QUIET, TRADED, "differs"),
        (UNKNOWN, TRADED, "not_captured"),
        (None, REPEATED, "not_captured"),
        (TRADED, ABSENT, "not_published"),
        (TRADED, None, "not_published"),
        (UNKNOWN, ABSENT, "neither"),
        (UNKNOWN, None, "neither"),
    ],
)
def test_each_pair_has_one_verdict(ours, theirs, verdict):
    """A quiet minute agrees with a repeated price and with no candle, and with nothing else."""
    found = reconcile(candles(ours), candles(theirs))
    assert found.counts == {verdict: 1}
    assert set(found.differences["verdict"]) == {verdict} & {"differs", "not_captured", "not_published"}


def test_differences_name_the_column_and_both_values():
    """A row per value; a one-sided candle shows its volume."""
    found = reconcile(candles(TRADED, UNKNOWN, TRADED), candles(TRADED | {"close": 12, "n_trades": 4}, TRADED))
    assert found.differences.rows() == [
        (MINUTE, "differs", "close", 11, 12),
        (MINUTE, "differs", "n_trades", 3, 4),
        (2 * MINUTE, "not_captured", "volume", None, 5),
        (3 * MINUTE, "not_published", "volume", 5, None),
    ]
    assert found.counts == {"differs": 1, "not_captured": 1, "not_published": 1}


@given(st.data())
def test_one_changed_value_is_the_one_difference(data):
    """Whatever column and minute it is in."""
    given_candles = candles(*[TRADED] * 5)
    minute = data.draw(st.integers(0, 4))
    column = data.draw(st.sampled_from(COMPARED))
    changed = given_candles.with_columns(
        pl.when(pl.int_range(pl.len()) == minute).then(pl.col(column) + 1).otherwise(column).alias(column)
    )
    found = reconcile(given_candles, changed)
    assert found.differences.select("ts", "column").rows() == [((minute + 1) * MINUTE, column)]
    assert found.counts == {"agree": 4, "differs": 1}


FEEDS = {"linear": ("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"), "spot": ("BTCUSDT", "ETHUSDT")}
OPENED = 1_786_310_820_000
"""The minute (ms) of which the capture holds the start."""


def recorded(market, connection, topic):
    """The rows of a topic on one connection of the Bybit capture, in order."""
    with pa.CompressedInputStream(str(market / "bybit_v5_ws" / "BYBIT.jsonl.zst"), "zstd") as source:
        lines = [orjson.loads(line) for line in source.read().splitlines()]
    heard = [line for line in lines if line.get("conn") == connection and line.get("t") == "recv"]
    frames = [orjson.loads(line["data"]) for line in heard]
    return [row for frame in frames if frame.get("topic") == topic for row in frame["data"]]


@pytest.mark.parametrize(("kind", "symbol"), [(kind, symbol) for kind, symbols in FEEDS.items() for symbol in symbols])
def test_recorded_trades_make_the_candle_that_the_venue_sent(market, kind, symbol):
    """Bybit's own candle as of its last update, and ours of the trades up to then: the same prices and volume."""
    connection = {"linear": "BYBIT.ws.2", "spot": "BYBIT.ws.3"}[kind]
    instrument = Instrument(f"bybit-{kind}.{symbol}", 5, 6, 1, 1)
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    updates = {row["start"]: row for row in recorded(market, connection, f"kline.1.{symbol}")}
    sent = updates[OPENED]
    rows = [[row[name] for name in names] for row in updates.values()]
    theirs = [{"ts": stamp(row, "1m")} | candle(row, instrument) for row in rows]
    trade_rows = [
        (p["T"] * 10**6, to_units(p["p"], 5), to_units(p["v"], 6), 1 if p["S"] == "Buy" else -1)
        for p in recorded(market, connection, f"publicTrade.{symbol}")
        if OPENED <= p["T"] <= sent["timestamp"]
    ]
    start = OPENED * 10**6
    trades = pl.DataFrame(trade_rows, schema=["event_ts", "price", "size", "side"], orient="row")
    captured = pl.DataFrame({"start_ts": [start], "end_ts": [start + MINUTE], "end_reason": [""]})
    ours = from_trades(trades, captured, start, start + MINUTE)
    found = reconcile(ours, pl.DataFrame(theirs, schema=SCHEMA), instrument.venue in CARRIED_OPEN)
    assert found.counts == {"not_captured": 1, "agree": 1}
    assert abs(ours["notional"].item() - theirs[-1]["notional"]) <= 10**7, "the turnover is rounded"


def test_a_carried_open_is_still_compared():
    """Such a venue must open where it closed before, and reach no further than the trades and that price."""
    theirs = [TRADED, TRADED | {"open": 11}, TRADED | {"open": 12}, TRADED | {"open": 11, "low": 8}]
    found = reconcile(candles(*[TRADED] * 4), candles(*theirs), carried_open=True)
    assert found.differences.select("ts", "column").rows() == [(3 * MINUTE, "open"), (4 * MINUTE, "low")]
    high = TRADED | {"open": 13, "high": 13}
    assert reconcile(candles(TRADED, TRADED), candles(TRADED | {"close": 13, "high": 13}, high), True).counts == {
        "differs": 1,
        "agree": 1,
    }
