"""How venues spell what the emulated market does: Binance, Bybit and OKX, WebSocket and REST."""

import json
from typing import Any

from tests.support.emulator.market import Change, Market


def price(ticks: int) -> str:
    """One decimal."""
    return f"{ticks // 10}.{ticks % 10}"


def size(lots: int) -> str:
    """Three decimals."""
    return f"{lots // 1000}.{lots % 1000:03d}"


def _text(document: Any) -> str:
    """JSON as venues write it, without spaces."""
    return json.dumps(document, separators=(",", ":"))


def _levels(levels: Any, side: int) -> list[list[str]]:
    return [[price(p), size(q)] for s, p, q in levels if s == side]


def _book(market: Market, side: int) -> list[list[str]]:
    ordered = sorted(market.sides[side].items(), reverse=side > 0)
    return [[price(p), size(q)] for p, q in ordered]


class Binance:
    """USD-M by default; spot has no pu, no T, no pair and no type of symbol. Its ids never starts over."""

    restart = None
    path = "/public/stream"
    gap_ids = 5

    def __init__(self, venue: str) -> None:
        self.spot = venue == "binance-spot"
        self.coin = venue == "binance-coinm"
        self.lag_ms = int(self.spot)
        """How long after a change its frames are stamped: spot's say only when they were sent."""
        if self.spot or self.coin:
            self.path = "/stream"
        self.rest = {"binance-spot": "/api/v3/depth", "binance-coinm": "/dapi/v1/depth"}.get(venue, "/fapi/v1/depth")

    def subscribed(self, message: dict) -> tuple[list[str], list[str]]:
        """Symbols of a subscription, and the answers."""
        books = (name for name in message.get("params", []) if "@depth" in name)
        symbols = {name.partition("@")[0].upper() for name in books}
        return sorted(symbols), [_text({"result": None, "id": message.get("id")})]

    def unsubscribed(self, message: dict) -> tuple[list[str], list[str]]:
        """The capture ends no subscription to a book of Binance."""
        return [], []

    def opening(self, market: Market) -> list[str]:
        """The stream sends no snapshot."""
        return []

    def snapshot(self, market: Market, ts_ms: int) -> str:
        """The REST answer."""
        document = {"lastUpdateId": market.update, "bids": _book(market, 1), "asks": _book(market, -1)}
        return _text(document if self.spot else document | {"E": ts_ms, "T": ts_ms})

    def frames(self, market: Market, change: Change) -> list[str]:
        """A change as the stream shows it."""
        name = market.symbol.lower()
        ts = change.ts_ms
        data = {"e": "depthUpdate", "E": ts + 1, "T": ts, "s": market.symbol, "ps": market.symbol.partition("_")[0]}
        data |= {"U": change.first_id, "u": change.last_id, "pu": change.prev_id}
        data |= {"b": _levels(change.levels, 1), "a": _levels(change.levels, -1), "st": 1 + self.coin}
        if self.spot:
            data = {key: value for key, value in data.items() if key not in ("T", "ps", "pu", "st")}
        found = [_text({"stream": f"{name}@depth@0ms", "data": data})]
        if change.trade:
            side, ticks, lots = change.trade
            said = {"s": market.symbol, "t": market.trades, "p": price(ticks), "q": size(lots)}
            spot = said | {"T": ts, "m": side < 0, "M": True}
            futures = {"T": ts} | said | {"X": "MARKET", "m": side < 0, "st": 1 + self.coin}
            print_ = {"e": "trade", "E": ts} | (spot if self.spot else futures)
            found.append(_text({"stream": f"{name}@trade", "data": print_}))
        return found

    def aside(self, market: Market, ts_ms: int) -> str:
        """What a connection without books hears of: the mark price."""
        name = market.symbol.lower()
        mark = price(market.mid)
        data = {"e": "markPriceUpdate", "E": ts_ms, "s": market.symbol, "p": mark, "i": mark, "r": "0.0001", "T": 0}
        return _text({"stream": f"{name}@markPrice", "data": data})

    def keep_alive(self, message: dict) -> str | None:
        """Binance pings by protocol frames."""
        return None


class Bybit:
    """V5; a subscription is answered with a snapshot in the stream."""

    gap_ids = 1
    lag_ms = 0
    rest = None

    def __init__(self, venue: str) -> None:
        self.path = f"/v5/public/{venue.partition('-')[2]}"
        self.spot = venue == "bybit-spot"

    def subscribed(self, message: dict) -> tuple[list[str], list[str]]:
        """Symbols whose book was asked for, and the answers."""
        books = [topic for topic in message.get("args", []) if topic.startswith("orderbook.")]
        answer = {"success": True, "ret_msg": "", "op": message.get("op"), "conn_id": "x"}
        return [topic.rpartition(".")[2] for topic in books], [_text(answer)]

    unsubscribed = subscribed
    book = '"topic":"orderbook.'
    """What a frame of the book says, and no other."""

    def opening(self, market: Market) -> list[str]:
        """The snapshot that begins the stream."""
        ts = market.history[-1].ts_ms if market.history else market.opened_ms
        return [self._book(market, "snapshot", _book(market, 1), _book(market, -1), ts, market.update)]

    def frames(self, market: Market, change: Change) -> list[str]:
        """A change as the stream shows it."""
        bids, asks = (_levels(change.levels, side) for side in (1, -1))
        found = [self._book(market, "delta", bids, asks, change.ts_ms, change.last_id)]
        if change.trade:
            side, ticks, lots = change.trade
            entry = {"T": change.ts_ms, "s": market.symbol, "S": "Buy" if side > 0 else "Sell", "v": size(lots)}
            entry |= {"p": price(ticks), "i": f"{market.symbol}-{market.trades}"}
            topic = f"publicTrade.{market.symbol}"
            found.append(_text({"topic": topic, "type": "snapshot", "ts": change.ts_ms, "data": [entry]}))
        return found

    def restart(self, market: Market, ts_ms: int) -> list[str]:
        """The service began again: a snapshot with u = 1 in the running stream."""
        market.restart(ts_ms, 1)
        return self.opening(market)

    def keep_alive(self, message: dict) -> str | None:
        """The answer to its ping."""
        return _text({"success": True, "ret_msg": "pong", "op": "ping"}) if message.get("op") == "ping" else None

    def _book(self, market: Market, kind: str, bids: list, asks: list, ts: int, update: int) -> str:
        data = {"s": market.symbol, "b": bids, "a": asks, "u": update, "seq": update}
        when = {"ts": ts + 1}
        what = {"type": kind}
        said = when | what if self.spot else what | when
        return _text({"topic": f"orderbook.200.{market.symbol}"} | said | {"data": data, "cts": ts})


class Okx:
    """V5 public channels; ids are chained by prevSeqId."""

    path = "/ws/v5/public"
    gap_ids = 7
    lag_ms = 0
    rest = None

    def __init__(self, venue: str) -> None:
        self.venue = venue

    def subscribed(self, message: dict) -> tuple[list[str], list[str]]:
        """Symbols whose book was asked for, and the answers."""
        books = [arg["instId"] for arg in message.get("args", []) if arg["channel"] == "books"]
        return books, [_text({"event": message["op"], "arg": arg}) for arg in message.get("args", [])]

    unsubscribed = subscribed
    book = '"channel":"books"'

    def opening(self, market: Market) -> list[str]:
        """The snapshot that begins the stream."""
        ts = market.history[-1].ts_ms if market.history else market.opened_ms
        return [self._book(market, "snapshot", _book(market, 1), _book(market, -1), ts, market.update, -1)]

    def frames(self, market: Market, change: Change) -> list[str]:
        """A change as the stream shows it."""
        bids, asks = (_levels(change.levels, side) for side in (1, -1))
        found = [self._book(market, "update", bids, asks, change.ts_ms, change.last_id, change.prev_id)]
        if change.trade:
            side, ticks, lots = change.trade
            entry = {"instId": market.symbol, "tradeId": str(market.trades), "px": price(ticks), "sz": size(lots)}
            entry |= {"side": "buy" if side > 0 else "sell", "ts": str(change.ts_ms)}
            entry |= {"count": "1", "source": "0", "seqId": change.last_id}
            found.append(_text({"arg": {"channel": "trades", "instId": market.symbol}, "data": [entry]}))
        return found

    def restart(self, market: Market, ts_ms: int) -> list[str]:
        """Ids starts over below the last one, which prevSeqId still names: the chain goes on."""
        return self.frames(market, market.restart(ts_ms, 1))

    def keep_alive(self, message: dict) -> str | None:
        """OKX pings by the text `ping`, which is no JSON."""
        return None

    def _book(self, market: Market, action: str, bids: list, asks: list, ts: int, seq: int, prev: int) -> str:
        levels = {"asks": [[*a, "0", "1"] for a in asks], "bids": [[*b, "0", "1"] for b in bids]}
        entry = levels | {"ts": str(ts), "checksum": 0, "seqId": seq, "prevSeqId": prev}
        return _text({"arg": {"channel": "books", "instId": market.symbol}, "action": action, "data": [entry]})


PROTOCOLS = {
    "binance-usdm": Binance,
    "binance-spot": Binance,
    "binance-coinm": Binance,
    "bybit-linear": Bybit,
    "bybit-spot": Bybit,
    "bybit-inverse": Bybit,
    "okx-swap": Okx,
    "okx-spot": Okx,
}
