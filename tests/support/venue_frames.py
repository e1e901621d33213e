"""The simulated venue's frames as Bybit and OKX write them: the same market, ids and times in each venue's words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Frames = list[tuple[int, bytes]]
Document = dict[str, Any]


def bybit(given: Frames) -> list[tuple[int, Document]]:
    """V5: a snapshot in the stream, then deltas by one; `ts` is later than `cts`."""
    found = list[tuple[int, Document]]()
    for recv, doc in _documents(given):
        data = doc.get("data", doc)
        if data.get("e") == "trade":
            entry = {"T": data["T"], "s": "BTCUSDT", "S": "Sell" if data["m"] else "Buy", "v": data["q"]}
            entry |= {"p": data["p"], "i": f"trade-{data['t']}"}
            found.append((recv, {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": data["T"], "data": [entry]}))
            continue
        bids, asks, update = _book(data)
        kind = "snapshot" if "lastUpdateId" in data else "delta"
        if kind == "delta" and not bids and not asks:
            continue
        said = {"topic": "orderbook.200.BTCUSDT", "type": kind, "ts": data["T"] + 3, "cts": data["T"]}
        found.append((recv, said | {"data": {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": update}}))
    return found


def okx(given: Frames) -> list[tuple[int, Document]]:
    """V5: ids are chained by `prevSeqId`; a level has four fields."""
    found = list[tuple[int, Document]]()
    name = {"instId": "BTC-USDT-SWAP"}
    before = -1
    for recv, doc in _documents(given):
        data = doc.get("data", doc)
        if data.get("e") == "trade":
            entry = name | {"tradeId": str(data["t"]), "px": data["p"], "sz": data["q"], "ts": str(data["T"])}
            entry |= {"side": "sell" if data["m"] else "buy", "count": "1", "source": "0", "seqId": 1}
            found.append((recv, {"arg": {"channel": "trades"} | name, "data": [entry]}))
            continue
        bids, asks, update = _book(data)
        kind = "snapshot" if "lastUpdateId" in data else "update"
        if kind == "update" and not bids and not asks:
            continue
        levels = {"asks": [[*one, "0", "1"] for one in asks], "bids": [[*one, "0", "1"] for one in bids]}
        entry = levels | {"ts": str(data["T"]), "checksum": 0, "seqId": update, "prevSeqId": before}
        before = update
        found.append((recv, {"arg": {"channel": "books"} | name, "action": kind, "data": [entry]}))
    return found


def write(path: Path, conn: str, documents: list[tuple[int, Document]]) -> Path:
    """A capture file with the connection in each line."""
    lines = [
        json.dumps({"t": "recv", "conn": conn, "ts": recv / 1e9, "data": json.dumps(doc, separators=(",", ":"))})
        for recv, doc in documents
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


VENUES: dict[str, tuple[str, str, Callable[[Frames], list[tuple[int, Document]]]]] = {
    "bybit-linear.BTCUSDT": ("bybit.jsonl", "wss://stream.bybit.com/v5/public/linear", bybit),
    "okx-swap.BTC-USDT-SWAP": ("okx.jsonl", "wss://ws.okx.com:8443/ws/v5/public", okx),
}
"""By instrument: a file's name, the connection, and how the venue writes."""


def _documents(given: Frames) -> list[tuple[int, Document]]:
    return [(recv, json.loads(text)) for recv, text in given]


def _book(data: Document) -> tuple[list[list[str]], list[list[str]], int]:
    if "lastUpdateId" in data:
        return data["bids"], data["asks"], data["lastUpdateId"]
    return data["b"], data["a"], data["u"]
