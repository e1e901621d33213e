"""Messages of all venues in the order and spelling in which they write them: made up, emulated, with changed bytes."""

import json
from collections.abc import Iterator

from hypothesis import strategies as st

from tests.support.emulator.market import Market
from tests.support.emulator.protocols import PROTOCOLS

T = 1_741_000_000_000
VENUES = (
    "binance-usdm",
    "binance-spot",
    "binance-coinm",
    "sim",
    "bybit-linear",
    "bybit-spot",
    "okx-swap",
    "okx-spot",
)
PLAIN = {
    "number": st.integers(1, 10**9).map(lambda n: f"{n // 1000}.{n % 1000:03d}"),
    "id": st.integers(2, 10**13),
    "ms": st.integers(T, T + 10**9),
    "symbol": st.sampled_from(["BTCUSDT", "A", "BTC-USDT"]),
    "type": st.just("delta"),
    "action": st.just("update"),
    "market": st.just("MARKET"),
    "taker": st.sampled_from(["buy", "sell"]),
    "text": st.sampled_from(["0", "17", ""]),
    "checksum": st.just(0),
    "usdm": st.just(1),
    "coinm": st.just(2),
    "okx-swap": st.sampled_from(["BTC-USDT-SWAP", "A-USD-SWAP"]),
    "okx-spot": st.sampled_from(["BTC-USDT", "1.A-B"]),
}
"""What venues write."""
ODD = {
    "number": st.sampled_from(
        ["0", "0.000", "00.5", "1.", ".5", "1e3", "-1", "1.0000001", "9" * 18, "9" * 30, "", "NaN", "1_0", 5, None]
    ),
    "id": st.sampled_from([0, 1, 2, -1, 10**18, 2**63, 10**30, "7", None, 1.5]),
    "ms": st.sampled_from([0, 1, 10**10, 10**11 - 1, 10**16, 10**19, -5, "1", None]),
    "symbol": st.sampled_from(["", "BTC.USDT", "\u00dc", 'Q"', "X" * 70, 5]),
    "type": st.sampled_from(["snapshot", "x"]),
    "action": st.sampled_from(["snapshot", "x", None]),
    "market": st.sampled_from(["NA", ""]),
    "taker": st.sampled_from(["Buy", "buys", "sel", "", None, 1]),
    "text": st.sampled_from(["-1", "\u00dc", 'Q"', "\\", "]", 5, None]),
    "checksum": st.sampled_from([-1_242_588_839, 2_077_395_788, None, "0"]),
    "usdm": st.sampled_from([0, 2, "1", None]),
    "coinm": st.sampled_from([0, 1, "2", None]),
    "okx-swap": st.sampled_from(["B-SWAP", "--SWAP", "B-T-SWAPS", "B-T-SWAP-", "B-U-251226", "", "\u00dc--SWAP"]),
    "okx-spot": st.sampled_from(["B", "-", "B-", "B-T-SWAP", "B-T-", "", 'Q"-', "\\-B", 5, None]),
}
"""What they might."""
EMULATED = {"binance-coinm": "BTCUSD_PERP", "okx-swap": "BTC-USDT-SWAP", "okx-spot": "BTC-USDT"}
SPECIAL = [b'"', b",", b"0", b".", b"-", b" ", b"\\", b"]"]


def text(doc) -> bytes:
    """As venues write JSON."""
    return json.dumps(doc, separators=(",", ":"), ensure_ascii=False).encode()


def emulated(venue, count=300) -> Iterator[bytes]:
    """Frames of an emulated venue: changes and trades, a snapshot now and then, ids that starts over where they do."""
    protocol = PROTOCOLS[venue](venue)
    market = Market(EMULATED.get(venue, "BTCUSDT"), 3, protocol.gap_ids)
    for k in range(count):
        frames = []
        ts = T + 100 * k
        if k % 100 == 0:
            frames += protocol.opening(market) or [protocol.snapshot(market, ts)]
        if k == count // 2 and protocol.restart is not None:
            frames += protocol.restart(market, ts)
        yield from (frame.encode() for frame in frames + protocol.frames(market, market.step(ts)))


@st.composite
def documents(draw, odd=0):
    """Connection and document of a message that some venue writes; `odd` in ten values are such as it might not."""

    def some(what):
        return draw((ODD if draw(st.integers(0, 9)) < odd else PLAIN)[what])

    venue = draw(st.sampled_from(VENUES))
    if venue.startswith("bybit"):
        return f"wss://x/v5/public/{venue[6:]}", _bybit(draw, some, venue == "bybit-spot")
    if venue.startswith("okx"):
        other = draw(st.sampled_from([venue, venue, "okx-spot"])) if odd else venue
        return f"{other} wss://x", _okx(draw, some, venue)
    return draw(st.sampled_from(["", venue, f"{venue} wss://x"])), _binance(draw, some, venue)


FOREIGN = (
    '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":17410000000010,"a":7,"s":"BTCUSDT","p":"1.0","q":"2.0",'
    '"f":1,"l":2,"T":1741000000001,"m":true}}',
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1.0","q":"2.0","T":1741000000001}}',
    '{"stream":"btcusd_perp@trade","data":{"e":"trade","E":1741000000001,"T":1741000000001,"s":"BTCUSD_PERP","t":7,'
    '"p":"1.0","q":"2.0","X":"MARKET","m":true}}',
    '{"stream":"btcusd_250627@depth@500ms","data":{"e":"depthUpdate","E":1741000000001,"T":1741000000001,'
    '"s":"BTCUSD_250627","U":2,"u":3,"pu":1,"b":[["99.5","1"]],"a":[]}}',
    '{"stream":"btcusdt@depth5@100ms","data":{"e":"depthUpdate","E":1741000000001,"T":1741000000001,"s":"BTCUSDT",'
    '"U":2,"u":3,"pu":1,"b":[["99.5","1"]],"a":[]}}',
    '{"stream":"btcusdt@rpiDepth@500ms","data":{"e":"depthUpdate","E":1741000000001,"T":1741000000001,"s":"BTCUSDT",'
    '"U":2,"u":3,"pu":1,"b":[["99.5","1"]],"a":[]}}',
    '{"stream":"btcusdt@depth20","data":{"lastUpdateId":7,"bids":[["99.5","1"]],"asks":[]}}',
    '{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1741000000001,"s":"BTCUSDT","k":{}}}',
    '{"stream":"!ticker@arr","data":[{"e":"24hrTicker","s":"BTCUSDT"}]}',
    '{"stream":"btcusdt@bookTicker@1s","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}',
    '{"lastUpdateId":7,"bids":[["99.5","1"]],"asks":[]}',
    '{"result":null,"id":1}',
)
"""What venues write beside the messages that have a shape."""


@st.composite
def mutated(draw, foreign=False):
    """A message with some bytes of it changed, put in, doubled or taken out; or a `foreign` one, as it is."""
    conns = ["", "binance-spot", "wss://fstream.binance.com/stream?streams=x", "wss://dstream.binance.com/ws"]
    if foreign and draw(st.booleans()):
        return draw(st.sampled_from(conns)), draw(st.sampled_from(FOREIGN)).encode()
    conn, doc = draw(documents(odd=draw(st.integers(0, 3))))
    payload = bytearray(text(doc))
    for _ in range(draw(st.integers(0, 3))):
        k = draw(st.integers(0, len(payload) - 1))
        with_ = draw(st.one_of(st.binary(max_size=2), st.sampled_from(SPECIAL)))
        payload[k : k + draw(st.integers(0, 2))] = with_
        payload = payload or bytearray(b"x")
    return conn, bytes(payload)


def _levels(draw, some, *further):
    found = range(draw(st.integers(0, 3)))
    return [[some("number"), some("number"), *(some(what) for what in further)] for _ in found]


def _bybit(draw, some, spot):
    symbol = some("symbol")
    topic = draw(st.sampled_from(["orderbook.200", "tickers", "kline.1"]))
    named = {"topic": f"{topic}.{symbol}"}
    what = {"type": some("type")}
    when = {"ts": some("ms")}
    if topic == "tickers":
        names = range(draw(st.integers(0, 3)))
        data = {"data": {"symbol": symbol} | {f"f{k}": some("text") for k in names}}
        return named | when | what | {"cs": 1} | data if spot else named | what | data | {"cs": 1} | when
    if topic == "kline.1":
        candle = {"start": some("ms"), "end": some("ms"), "interval": "1"}
        candle |= {name: some("number") for name in ("open", "close", "high", "low", "volume", "turnover")}
        data = {"data": [candle | {"confirm": False, "timestamp": some("ms")}]} | when
        return what | named | data if spot else named | data | what
    data = {"s": symbol, "b": _levels(draw, some), "a": _levels(draw, some), "u": some("id"), "seq": some("id")}
    return named | (when | what if spot else what | when) | {"data": data, "cts": some("ms")}


def _okx(draw, some, venue):
    channel = draw(st.sampled_from(["books", "trades", "bbo-tbt"]))
    symbol = some(venue)
    doc = {"arg": {"channel": channel, "instId": symbol}}
    when = {"ts": str(some("ms"))}
    if channel == "trades":
        entry = {"instId": symbol, "tradeId": str(some("id")), "px": some("number"), "sz": some("number")}
        entry |= {"side": some("taker")} | when | {"count": some("text"), "source": some("text"), "seqId": some("id")}
        return doc | {"data": [entry]}
    if channel == "bbo-tbt":
        best = {side: [[some("number"), some("number"), some("text"), some("text")]] for side in ("asks", "bids")}
        return doc | {"data": [best | when | {"seqId": some("id")}]}
    book = {side: _levels(draw, some, "text", "text") for side in ("asks", "bids")} | when
    book |= {"checksum": some("checksum"), "seqId": some("id"), "prevSeqId": some("id")}
    return doc | {"action": some("action"), "data": [book]}


def _binance(draw, some, venue):
    what = draw(st.sampled_from(["depthUpdate", "trade", "bookTicker"]))
    spot = venue == "binance-spot"
    named = {"s": some("symbol")}
    symbol_type = {}
    pair = {}
    if venue == "binance-coinm":
        named = {"s": draw(st.sampled_from(["BTCUSD_PERP", "BTCUSD_251226"]))}
        pair = {"ps": "BTCUSD"}
    if venue in ("binance-usdm", "binance-coinm") and draw(st.booleans()):
        pair = {"ps": some("text")}
        symbol_type = {"st": some(venue.partition("-")[2])}
    if what == "depthUpdate":
        data = {"e": what, "E": some("ms")} | ({} if spot else {"T": some("ms")}) | named | pair | {"U": some("id")}
        data |= {"u": some("id")} | ({} if spot else {"pu": some("id")})
        data |= {"b": _levels(draw, some), "a": _levels(draw, some)}
    elif what == "trade":
        said = named | {"t": some("id"), "p": some("number"), "q": some("number")}
        when = {"T": some("ms")}
        maker = {"m": draw(st.booleans())}
        rest = said | when | maker | {"M": True} if spot else when | said | {"X": some("market")} | maker
        data = {"e": what, "E": some("ms")} | rest
    else:
        touch = {"u": some("id")} | named | pair | {side: some("number") for side in "bBaA"}
        data = touch if spot else {"e": what} | touch | {"T": some("ms"), "E": some("ms")}
    name = draw(st.sampled_from(["depth", "depth@100ms"])) if what == "depthUpdate" else what
    return {"stream": f"{'sim/' * (venue == 'sim')}{str(named['s']).lower()}@{name}", "data": data | symbol_type}
