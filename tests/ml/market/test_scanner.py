"""Compiled reading against the ordinary parser: the same events, or declined."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import FrameError
from ml.instruments import Instrument
from ml.market import shapes as at
from ml.market.events import BookMessage, RawFrame, Trade, stamp_ns
from ml.market.frames import SHAPES, of_frames, scanned, tried_on
from ml.market.scanner import nanoseconds
from ml.market.venues.dialects import dialect, route
from tests.scenario import diff, trade

T = 1_741_000_000_000
VENUES = ("binance-usdm", "binance-spot", "sim", "bybit-linear", "bybit-spot")
PLAIN = {
    "number": st.integers(1, 10**9).map(lambda n: f"{n // 1000}.{n % 1000:03d}"),
    "id": st.integers(2, 10**13),
    "ms": st.integers(T, T + 10**9),
    "symbol": st.sampled_from(["BTCUSDT", "A", "BTC-USDT"]),
    "type": st.just("delta"),
    "market": st.just("MARKET"),
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
    "market": st.sampled_from(["NA", ""]),
}
"""What they might."""


def text(doc) -> bytes:
    """As venues write JSON."""
    return json.dumps(doc, separators=(",", ":"), ensure_ascii=False).encode()


@st.composite
def documents(draw, odd=0):
    """Connection and document of a message that some venue writes; `odd` in ten values are such as it might not."""

    def some(what):
        return draw((ODD if draw(st.integers(0, 9)) < odd else PLAIN)[what])

    def levels():
        return [[some("number"), some("number")] for _ in range(draw(st.integers(0, 3)))]

    symbol, venue = some("symbol"), draw(st.sampled_from(VENUES))
    if venue.startswith("bybit"):
        data = {"s": symbol, "b": levels(), "a": levels(), "u": some("id"), "seq": some("id")}
        doc = {"topic": f"orderbook.200.{symbol}", "type": some("type"), "ts": some("ms"), "data": data}
        return f"wss://x/v5/public/{venue[6:]}", doc | {"cts": some("ms")}
    what, spot = draw(st.sampled_from(["depthUpdate", "trade", "bookTicker"])), venue == "binance-spot"
    named = {"s": symbol}
    if what == "depthUpdate":
        data = {"e": what, "E": some("ms")} | ({} if spot else {"T": some("ms")}) | named | {"U": some("id")}
        data |= {"u": some("id")} | ({} if spot else {"pu": some("id")}) | {"b": levels(), "a": levels()}
    elif what == "trade":
        said = named | {"t": some("id"), "p": some("number"), "q": some("number")}
        when, maker = {"T": some("ms")}, {"m": draw(st.booleans())}
        rest = said | when | maker | {"M": True} if spot else when | said | {"X": some("market")} | maker
        data = {"e": what, "E": some("ms")} | rest
    else:
        touch = {"u": some("id")} | named | {side: some("number") for side in "bBaA"}
        data = touch if spot else {"e": what} | touch | {"T": some("ms"), "E": some("ms")}
    conn = draw(st.sampled_from(["", venue, f"{venue} wss://x"]))
    return conn, {"stream": f"{'sim/' * (venue == 'sim')}{str(symbol).lower()}@{what}", "data": data}


@st.composite
def mutated(draw):
    """A message with some bytes of it changed, put in, doubled or taken out."""
    conn, doc = draw(documents(odd=draw(st.integers(0, 3))))
    payload = bytearray(text(doc))
    for _ in range(draw(st.integers(0, 3))):
        k = draw(st.integers(0, len(payload) - 1))
        with_ = draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b'"', b",", b"0", b".", b"-", b" ", b"\\", b"]"]))
        )
        payload[k : k + draw(st.integers(0, 2))] = with_
        payload = payload or bytearray(b"x")
    return conn, bytes(payload)


def read(conn, payload, decimals=(3, 3)):
    """Fields of the one frame, and its levels."""
    frames = of_frames([RawFrame(0, conn, 0, payload)])
    fields, levels = scanned(frames, tried_on(frames.conns)[frames.conn], decimals)
    return frames, fields[0], levels


def compiled(conn, payload, decimals=(3, 3)):
    """Instrument, kind and events as compiled code reads them; None if it declines."""
    frames, row, levels = read(conn, payload, decimals)
    if row[at.KIND] == at.DECLINED:
        return None
    symbol = frames.text[row[at.SYMBOL] : row[at.SYMBOL_END]].tobytes().decode()
    venue = SHAPES[row[at.SHAPE]].venue
    kind = {at.BOOK: "book", at.TRADE: "trade", at.OTHER: "other"}[int(row[at.KIND])]
    if kind == "other":
        return venue, symbol, kind, 0, [], []
    if kind == "trade":
        values = (int(row[c]) for c in (at.SIDE, at.PRICE, at.SIZE))
        return venue, symbol, kind, row[at.EVENT], [], [Trade(int(row[at.EVENT]), str(row[at.ID]), *values)]
    message = BookMessage(False, *(int(row[c]) for c in (at.EVENT, at.SEND, at.FIRST, at.LAST, at.PREV)))
    if levels.side.any():
        message.side, message.price, message.size = (column.tolist() for column in levels)
    return venue, symbol, kind, row[at.EVENT], [message], []


def ordinary(conn, payload, decimals=(3, 3)):
    """The same by the parser of JSON; an error where it must be set aside."""
    try:
        doc = orjson.loads(payload)
        venue, symbol = route(doc, conn)
        spoken = dialect(venue)
        kind = spoken.kind(doc)
        when = spoken.event_ts(doc) if kind in ("book", "trade") else 0
        return venue, symbol, kind, when, *spoken.parse(doc, Instrument(f"{venue}.{symbol}", *decimals, 1, 1))
    except (orjson.JSONDecodeError, FrameError, TypeError) as error:
        return error


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_the_same_or_declined(given_):
    """Whatever is done to a message."""
    fast = compiled(*given_)
    assert fast is None or fast == ordinary(*given_)


@settings(max_examples=300, deadline=None)
@given(documents())
def test_a_message_as_venues_write_it_is_read(given_):
    """Else the compiled path would be right and useless."""
    conn, doc = given_
    assert compiled(conn, text(doc)) == ordinary(conn, text(doc))


@pytest.mark.parametrize(
    "doc",
    [
        diff(7, 6, T, [("99.0", "1.000"), ("98.5", "0")], [("101.0", "2.500")]),
        diff(7, 6, T),
        trade(5, T),
        trade(5, T, maker=True),
    ],
)
def test_what_the_venue_writes_is_read(doc):
    """The plain shapes."""
    assert compiled("", text(doc)) == ordinary("", text(doc))
    assert compiled("", text(doc)) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"99.0"', b'"99.0001"'), (b'"99.0"', b'"9e1"'), (b'"99.0"', b'"0.0"'), (b'"99.0"', b"99.0"),
        (b'"u":7', b'"u":07'), (b'"u":7', b'"u":1'), (b'"U":7,', b""), (b'"E":', b'"E": '), (b"}}", b"}} "),
        (b'"BTCUSDT"', b'"BTC\\u0055SDT"'), (b'"e":', b'"x":1,"e":'), (b'"99.0"', b'"99999999999999999999"'),
    ],
)  # fmt: skip
def test_what_differs_is_declined(old, new):
    """Decimals beyond the grid, exponents, price zero, numbers for texts, another order, spaces, escapes."""
    payload = text(diff(7, 6, T, [("99.0", "1.000")]))
    assert compiled("", payload) is not None
    assert old in payload
    assert compiled("", payload.replace(old, new)) is None


def test_frames_side_by_side_do_not_mix():
    """Payloads without anything between them, every second one torn: levels stand where the fields say."""
    whole = [text(diff(k, k - 1, T + k, [("99.0", f"{k}.000")] * (k % 3), [("101.0", "1.000")])) for k in range(2, 40)]
    given_ = [payload[:-3] if k % 2 else payload for k, payload in enumerate(whole)]
    frames = of_frames([RawFrame(k, "", 0, payload) for k, payload in enumerate(given_)])
    fields, levels = scanned(frames, tried_on(("",))[0], (3, 3))
    assert [kind == at.DECLINED for kind in fields[:, at.KIND]] == [bool(k % 2) for k in range(len(given_))]
    for row, payload in zip(fields[::2], given_[::2], strict=True):
        (message,) = ordinary("", payload)[4]
        rows = slice(row[at.FROM], row[at.ROWS])
        assert (levels.price[rows].tolist(), levels.size[rows].tolist()) == (message.price, message.size)


@given(st.integers(0, 10**19 - 1))
def test_times_as_events_have_them(stamp):
    """The same unit by the same magnitude; what does not fit is refused by both."""
    if stamp >= 2**63:
        return
    try:
        expected = stamp_ns(stamp)
    except FrameError:
        expected = -1
    assert nanoseconds(np.int64(stamp)) == expected


def test_recorded_frames_with_a_changed_byte(market):
    """Real frames, each with a byte changed, put in or taken out: the same events or declined."""
    from ml.market import captures

    rng = np.random.default_rng(5)
    found = {"same": 0, "declined": 0}
    for path in [*(market / "binance_raw").glob("*20240718.gz"), market / "bybit_v5_ws" / "BYBIT.jsonl.zst"]:
        frames = [item for k, item in enumerate(captures.read(path)) if k % 7 == 0]
        for frame in frames:
            payload, k = bytearray(frame.payload), int(rng.integers(len(frame.payload)))
            payload[k : k + int(rng.integers(2))] = (
                rng.integers(32, 127, int(rng.integers(3))).astype(np.uint8).tobytes()
            )
            for changed in (frame.payload, bytes(payload)):
                fast = compiled(frame.conn, changed, (5, 4))
                assert fast is None or fast == ordinary(frame.conn, changed, (5, 4)), changed
                found["declined" if fast is None else "same"] += 1
    assert min(found.values()) > 500
