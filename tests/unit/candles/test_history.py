"""Asking a venue for its candles, with the real client against a local server: addresses, rows, waits and refusals."""

import asyncio
import time

import pytest

from ml.candles.history import TRIES, History
from ml.core.errors import CaptureError, SettingsError, VenueRefused
from tests.support.kline_server import Exchange, busy, garbage, row, served

FIRST = 1_741_046_400_000
SYMBOLS = {
    "binance-spot": ("BTCUSDT", "/api/v3/klines"),
    "binance-usdm": ("BTCUSDT", "/fapi/v1/klines"),
    "binance-coinm": ("BTCUSD_PERP", "/dapi/v1/klines"),
    "bybit-spot": ("BTCUSDT", "/v5/market/kline"),
    "bybit-linear": ("BTCUSDT", "/v5/market/kline"),
    "bybit-inverse": ("BTCUSD", "/v5/market/kline"),
    "okx-spot": ("BTC-USDT", "/api/v5/market/history-candles"),
    "okx-swap": ("BTC-USDT-SWAP", "/api/v5/market/history-candles"),
}


def ask(exchange, venue="binance-usdm", timeframe="1m", first=FIRST, last=FIRST + 4 * 60_000):
    """The rows of one question."""

    async def go():
        history = History(venue, exchange.url)
        history.know(SYMBOLS[venue][0], ["1m", "5m", "1h"])
        try:
            return await history.candles(SYMBOLS[venue][0], timeframe, first, last)
        finally:
            await history.close()

    return asyncio.run(go())


@pytest.fixture
def exchange():
    """A server with twenty minutes of candles."""
    exchange = Exchange()
    exchange.fill(FIRST, 20)
    with served(exchange):
        yield exchange


@pytest.mark.parametrize("venue", SYMBOLS)
def test_every_venue_is_asked_in_its_own_way(exchange, venue):
    """One request, at the given address, for exactly the wanted candles; its category tells a venue's markets apart."""
    rows = ask(exchange, venue)
    assert sorted(int(r[0]) for r in rows) == [FIRST + k * 60_000 for k in range(5)]
    (asked,) = exchange.asked
    assert asked["path"] == SYMBOLS[venue][1]
    assert SYMBOLS[venue][0] in asked.values()
    assert asked.get("category") == (venue.split("-")[1] if venue.startswith("bybit") else None)


def test_rows_are_as_sent(exchange):
    """No float in between: the text of a price is kept, and so is what ccxt would leave out."""
    assert ask(exchange, last=FIRST) == [row(FIRST)]


def test_coarser_candles_are_asked_for_by_their_name(exchange):
    """The venue makes them, not we."""
    assert [r[0] for r in ask(exchange, timeframe="5m", last=FIRST + 900_000)] == [
        FIRST + k * 300_000 for k in range(4)
    ]


def test_a_busy_venue_is_given_its_time(exchange):
    """Retry-After is waited for, then the question is asked again."""
    exchange.refusals = [busy(0.4)]
    started = time.monotonic()
    assert len(ask(exchange)) == 5
    assert time.monotonic() - started >= 0.4
    assert len(exchange.asked) == 2


def test_a_ban_is_no_reason_to_wait(exchange):
    """Who is told to come back in an hour is told so, and does not ask again."""
    exchange.refusals = [busy(3_600)]
    with pytest.raises(VenueRefused, match=r"binance-usdm BTCUSDT 1m.*Too many requests") as refused:
        ask(exchange)
    assert (refused.value.retry_after, len(exchange.asked)) == (3_600, 1)


@pytest.mark.parametrize("text", ["<html>busy</html>", "{}", '"x"', "null", ""])
@pytest.mark.parametrize("venue", ["binance-usdm", "bybit-linear", "okx-swap"])
def test_an_answer_without_candles_is_no_answer(exchange, venue, text, monkeypatch):
    """Else every candle would be recorded as not published; with status 200, too."""
    monkeypatch.setattr("ml.candles.history.TRIES", 1)
    exchange.refusals = [garbage(text)]
    with pytest.raises(CaptureError):
        ask(exchange, venue)


def test_an_empty_list_is_an_answer(exchange):
    """The venue has no candle of that time."""
    assert ask(exchange, first=FIRST + 10**9, last=FIRST + 10**9) == []


def test_who_never_answers_is_asked_five_times(exchange, monkeypatch):
    """Then the failure is told."""

    async def no_wait(seconds):
        waits.append(seconds)

    waits = []
    monkeypatch.setattr("ml.candles.history.sleep", no_wait)
    exchange.refusals = [(500, {}, "oops")] * 9
    with pytest.raises(VenueRefused):
        ask(exchange)
    assert len(exchange.asked) == TRIES
    assert waits == sorted(waits)
    assert len(waits) == TRIES - 1


def test_a_wrong_question_is_not_repeated(exchange):
    """A symbol that the venue does not know stays unknown."""
    exchange.refusals = [(400, {}, '{"code":-1121,"msg":"Invalid symbol."}')]
    with pytest.raises(CaptureError, match=r"Invalid symbol.*Check the symbol") as refused:
        ask(exchange)
    assert not isinstance(refused.value, VenueRefused)
    assert len(exchange.asked) == 1


def test_a_dead_address_is_told():
    """Nothing listens on that port; a port that was only just free could be another test's by now."""
    exchange = Exchange()
    exchange.url = "http://127.0.0.1:9"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml.candles.history.TRIES", 1)
        with pytest.raises(VenueRefused):
            ask(exchange)


def test_a_timeframe_that_the_venue_has_not_is_named():
    """With those that it has."""
    with pytest.raises(SettingsError, match=r"bybit-linear serves no 8h candles\. Available: 1m, 3m"):
        History("bybit-linear").know("BTCUSDT", ["1m", "8h"])
