"""What to request from a venue: connections, subscriptions, and the snapshots that some books need.

One plan per venue, as data. Add a plan for a new venue, with the page that describes it. Connections belong to
`ml.capture.connections`, parsing to `ml.market.venues`.

Sources: Binance "WebSocket Market Streams" (spot, USD-M, COIN-M) and "Order Book"; Bybit V5 "Connect" and "Orderbook";
OKX V5 "WebSocket: Order book channel".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ml.core.errors import SettingsError

Messages = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Endpoints:
    """Where a venue speaks: WebSocket and REST base addresses, without a trailing slash."""

    stream: str
    rest: str


@dataclass(frozen=True)
class Subscription:
    """One WebSocket: its address and the messages that subscribe to `symbols`.

    `books` are the symbols whose books it carries, and which a loss on it makes unknown: all of them, or none.
    """

    url: str
    subscribe: Messages
    symbols: tuple[str, ...]
    books: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """How a venue is captured.

    Args:
        exchange: name of the ccxt class that makes the connections.
        endpoints: the venue's public addresses.
        subscriptions: (endpoints, symbols) -> what to subscribe to, one per connection.
        beside: what the frequent frames hold that are neither book nor trade.
        snapshot: (endpoints, symbol) -> address of the REST snapshot; None where the stream sends snapshots itself.
        snapshot_pause: seconds between two of them, so that they stay below the venue's weight limit.
        renew: symbol -> messages that end its book's subscription and begin it again, which brings a fresh snapshot;
            None where the stream sends none.
    """

    exchange: str
    endpoints: Endpoints
    subscriptions: Callable[[Endpoints, Sequence[str]], list[Subscription]]
    beside: bytes
    snapshot: Callable[[Endpoints, str], str] | None = None
    snapshot_pause: float = 0.6
    renew: Callable[[str], Messages] | None = None


def plan(venue: str) -> Plan:
    """The plan of a venue.

    Raises:
        SettingsError: none is known.
    """
    if venue not in PLANS:
        raise SettingsError(f"Venue {venue!r} cannot be captured. Available: {', '.join(PLANS)}.")
    return PLANS[venue]


PER_CONNECTION = 50
"""Symbols on one connection; below every venue's limit of subscriptions."""


def _batches(symbols: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(symbols[k : k + PER_CONNECTION]) for k in range(0, len(symbols), PER_CONNECTION)]


def _binance(*paths: tuple[str, tuple[str, ...]]) -> Callable[[Endpoints, Sequence[str]], list[Subscription]]:
    def subscriptions(endpoints: Endpoints, symbols: Sequence[str]) -> list[Subscription]:
        found: list[Subscription] = []
        for batch in _batches(symbols):
            for path, streams in paths:
                names = [f"{symbol.lower()}@{stream}" for symbol in batch for stream in streams]
                message = {"method": "SUBSCRIBE", "params": names, "id": len(found) + 1}
                books = batch if any(stream.startswith("depth") for stream in streams) else ()
                found.append(Subscription(f"{endpoints.stream}{path}", (message,), batch, books))
        return found

    return subscriptions


def _binance_depth(path: str, limit: int) -> Callable[[Endpoints, str], str]:
    return lambda endpoints, symbol: f"{endpoints.rest}{path}?symbol={symbol}&limit={limit}"


def _bybit(market: str) -> Callable[[Endpoints, Sequence[str]], list[Subscription]]:
    topics = ["orderbook.200.{}", "publicTrade.{}", "tickers.{}", "kline.1.{}"]

    def subscriptions(endpoints: Endpoints, symbols: Sequence[str]) -> list[Subscription]:
        found: list[Subscription] = []
        for batch in _batches(symbols):
            # spot takes at most ten topics a message
            names = [topic.format(symbol) for symbol in batch for topic in topics]
            messages = tuple({"op": "subscribe", "args": names[k : k + 10]} for k in range(0, len(names), 10))
            found.append(Subscription(f"{endpoints.stream}/v5/public/{market}", messages, batch, batch))
        return found

    return subscriptions


def _bybit_resubscribe(symbol: str) -> Messages:
    return tuple({"op": op, "args": [f"orderbook.200.{symbol}"]} for op in ("unsubscribe", "subscribe"))


def _okx_resubscribe(symbol: str) -> Messages:
    return tuple({"op": op, "args": [{"channel": "books", "instId": symbol}]} for op in ("unsubscribe", "subscribe"))


def _okx(endpoints: Endpoints, symbols: Sequence[str]) -> list[Subscription]:
    found: list[Subscription] = []
    for batch in _batches(symbols):
        args = [{"channel": name, "instId": symbol} for symbol in batch for name in ("books", "trades", "bbo-tbt")]
        found.append(
            Subscription(f"{endpoints.stream}/ws/v5/public", ({"op": "subscribe", "args": args},), batch, batch)
        )
    return found


_SPOT = Endpoints("wss://stream.binance.com:9443", "https://api.binance.com")
_USDM = Endpoints("wss://fstream.binance.com", "https://fapi.binance.com")
_COINM = Endpoints("wss://dstream.binance.com", "https://dapi.binance.com")
_BYBIT = Endpoints("wss://stream.bybit.com", "https://api.bybit.com")
_OKX = Endpoints("wss://ws.okx.com:443", "https://www.okx.com")
_BOOK = ("depth@0ms", "trade", "bookTicker")

PLANS: dict[str, Plan] = {
    "binance-spot": Plan(
        "binance",
        _SPOT,
        _binance(("/stream", ("depth@100ms", "trade", "bookTicker", "kline_1m"))),
        b"@bookTicker",
        _binance_depth("/api/v3/depth", 5000),
        3.0,  # each weighs 250 of the 6 000 per minute; those of futures 20 of 2 400
    ),
    # USD-M serves books and trades under one path, candles and mark prices under another
    "binance-usdm": Plan(
        "binance",
        _USDM,
        _binance(("/public/stream", _BOOK), ("/market/stream", ("kline_1m", "markPrice"))),
        b"@bookTicker",
        _binance_depth("/fapi/v1/depth", 1000),
    ),
    "binance-coinm": Plan(
        "binance",
        _COINM,
        _binance(("/stream", (*_BOOK, "kline_1m", "markPrice"))),
        b"@bookTicker",
        _binance_depth("/dapi/v1/depth", 1000),
    ),
    "bybit-linear": Plan("bybit", _BYBIT, _bybit("linear"), b'"tickers.', renew=_bybit_resubscribe),
    "bybit-inverse": Plan("bybit", _BYBIT, _bybit("inverse"), b'"tickers.', renew=_bybit_resubscribe),
    "bybit-spot": Plan("bybit", _BYBIT, _bybit("spot"), b'"tickers.', renew=_bybit_resubscribe),
    "okx-swap": Plan("okx", _OKX, _okx, b'"bbo-tbt"', renew=_okx_resubscribe),
    "okx-spot": Plan("okx", _OKX, _okx, b'"bbo-tbt"', renew=_okx_resubscribe),
}
