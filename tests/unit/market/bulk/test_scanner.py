"""Compiled reading against the ordinary parser: the same events, or declined."""

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import SHAPES, of_frames, scanned, tried_on
from ml.market.bulk.scanner import nanoseconds
from ml.market.decode.events import BookMessage, RawFrame, Trade, stamp_ns
from ml.market.venues.dialects import dialect, route
from tests.support.emulator.protocols import PROTOCOLS
from tests.support.examples import examples
from tests.support.scenario import diff, trade
from tests.unit.market.decode.messages import T, documents, emulated, mutated, text

ORDINARY = (b'"type":"snapshot"', b'"action":"snapshot"', b'"lastUpdateId"', b'"seqId":1,"prev')
"""What of the emulated venues no shape reads: snapshots, trades of Bybit, which it calls so too, and the first id."""


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
    """The same by the parser of JSON; an error where it must be quarantined."""
    try:
        doc = orjson.loads(payload)
        venue, symbol = route(doc, conn)
        spoken = dialect(venue)
        kind = spoken.kind(doc)
        when = spoken.event_ts(doc) if kind in ("book", "trade") else 0
        return venue, symbol, kind, when, *spoken.parse(doc, Instrument(f"{venue}.ANY", *decimals, 1, 1))
    except (orjson.JSONDecodeError, FrameError, TypeError) as error:
        return error


@settings(max_examples=examples(150, 600), deadline=None)
@given(mutated())
def test_the_same_or_declined(given_):
    """Whatever is done to a message."""
    fast = compiled(*given_)
    assert fast is None or fast == ordinary(*given_)


@settings(max_examples=examples(75, 300), deadline=None)
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


@pytest.mark.parametrize("venue", PROTOCOLS)
def test_what_an_emulated_venue_writes_is_read(venue):
    """All but what is left to the ordinary parser; and each with a byte changed, put in or taken out."""
    rng = np.random.default_rng(7)
    for whole in emulated(venue):
        fast = compiled(venue, whole)
        assert (fast is None) == any(said in whole for said in ORDINARY), whole
        assert fast is None or fast == ordinary(venue, whole)
        changed = bytearray(whole)
        k = int(rng.integers(len(whole)))
        changed[k : k + int(rng.integers(2))] = rng.integers(32, 127, int(rng.integers(3))).astype(np.uint8).tobytes()
        fast = compiled(venue, bytes(changed))
        assert fast is None or fast == ordinary(venue, bytes(changed)), changed


BOOKS = {
    "usdm": b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1741000000003,"T":1741000000000,'
    b'"s":"BTCUSDT","ps":"BTCUSDT","U":5,"u":7,"pu":4,"b":[["99.0","1.000"]],"a":[["101.0","0.000"]],"st":1}}',
    "coinm": b'{"stream":"btcusd_perp@depth@0ms","data":{"e":"depthUpdate","E":1741000000003,"T":1741000000000,'
    b'"s":"BTCUSD_PERP","ps":"BTCUSD","U":5,"u":7,"pu":4,"b":[["99.0","1"]],"a":[["101.0","0"]],"st":2}}',
    "okx-swap": b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[["101.0","0",'
    b'"0","0"]],"bids":[["99.0","1.25","0","3"]],"ts":"1741000000000","checksum":0,"seqId":7,"prevSeqId":4}]}',
}
"""Changes of a book as futures of Binance and OKX write them since 2026."""


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("usdm", b'"st":1', b'"st":2'),
        ("usdm", b'"st":1', b'"st":01'),
        ("usdm", b'"st":1', b'"st":1,"x":1'),
        ("usdm", b'"ps":"BTCUSDT",', b""),
        ("coinm", b'"st":2', b'"st":1'),
        ("coinm", b'"pu":4,', b""),
        ("okx-swap", b"-SWAP", b""),
        ("okx-swap", b"-SWAP", b"-SWAPS"),
        ("okx-swap", b"BTC-", b"BTC-X-"),
        ("okx-swap", b'"3"]]', b'"3","4"]]'),
        ("okx-swap", b',"3"]]', b"]]"),
        ("okx-swap", b'"3"]]', b"3]]"),
        ("okx-swap", b'"3"]]', b'"3\\]]'),
        ("okx-swap", b"update", b"snapshot"),
        ("okx-swap", b'"checksum":0,', b""),
        ("okx-swap", b":4}", b":-1}"),
        ("okx-swap", b'"17', b'"x17'),
        ("okx-swap", b"}]}", b"},{}]}"),
    ],
)
def test_what_differs_from_the_messages_of_2026_is_declined(what, old, new):
    """Another type or form of the symbol, more or fewer fields and levels of another length, no change."""
    conn = what if what in PROTOCOLS else f"binance-{what}"
    payload = BOOKS[what]
    assert compiled(conn, payload) == ordinary(conn, payload)
    assert old in payload
    assert compiled(conn, payload.replace(old, new)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"99.0"', b'"99.0001"'),
        (b'"99.0"', b'"9e1"'),
        (b'"99.0"', b'"0.0"'),
        (b'"99.0"', b"99.0"),
        (b'"u":7', b'"u":07'),
        (b'"u":7', b'"u":1'),
        (b'"U":7,', b""),
        (b'"E":', b'"E": '),
        (b"}}", b"}} "),
        (b'"BTCUSDT"', b'"BTC\\u0055SDT"'),
        (b'"e":', b'"x":1,"e":'),
        (b'"99.0"', b'"99999999999999999999"'),
    ],
)
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
    from ml.market.files import captures

    rng = np.random.default_rng(5)
    found = {"same": 0, "declined": 0}
    for path in [*(market / "binance_raw").glob("*20240718.gz"), market / "bybit_v5_ws" / "BYBIT.jsonl.zst"]:
        frames = [item for k, item in enumerate(captures.read(path)) if k % 7 == 0]
        for frame in frames:
            payload = bytearray(frame.payload)
            k = int(rng.integers(len(frame.payload)))
            payload[k : k + int(rng.integers(2))] = (
                rng.integers(32, 127, int(rng.integers(3))).astype(np.uint8).tobytes()
            )
            for changed in (frame.payload, bytes(payload)):
                fast = compiled(frame.conn, changed, (5, 4))
                assert fast is None or fast == ordinary(frame.conn, changed, (5, 4)), changed
                found["declined" if fast is None else "same"] += 1
    assert min(found.values()) > 500
