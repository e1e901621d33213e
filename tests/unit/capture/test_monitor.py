"""The watch: which books can be rebuilt, by ids alone."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.capture.monitor import Watch
from ml.core.instruments import Instrument
from ml.market.book.feed import Feed
from ml.market.book.sampler import Sampler
from ml.market.decode.decoder import Decoder
from tests.support.examples import examples
from tests.support.scenario import diff, snapshot

T = 1_741_000_000_000
RECV = T * 10**6
USDM = "binance-usdm wss://x/public/stream"
DEPTH = "binance-usdm https://x/fapi/v1/depth?symbol=BTCUSDT&limit=1000"


def text(doc) -> bytes:
    return json.dumps(doc).encode()


@pytest.fixture
def watch():
    return Watch("binance-usdm", ("BTCUSDT",))


def test_a_book_is_known_from_its_snapshot_on(watch):
    """Diffs wait, the snapshot connects them."""
    watch.take(text(diff(12, 10, T)), USDM, RECV)
    assert watch.unknown() == ["BTCUSDT"]
    assert watch.waiting() == {"BTCUSDT"}
    assert watch.take(text(snapshot(11, T)), DEPTH, RECV)[0] == "BTCUSDT"
    assert (watch.unknown(), watch.waiting()) == ([], set())


def test_a_jump_of_ids_is_a_break(watch):
    """It is told once, and the book is unknown."""
    for doc, conn in ((diff(12, 10, T), USDM), (snapshot(11, T), DEPTH), (diff(13, 12, T), USDM)):
        watch.take(text(doc), conn, RECV)
    assert (watch.unknown(), watch.breaks) == ([], 0)
    for doc in (diff(20, 17, T), diff(21, 20, T)):
        watch.take(text(doc), USDM, RECV)
    assert (watch.unknown(), watch.breaks) == (["BTCUSDT"], 1)


def test_a_lost_connection_makes_the_book_unknown(watch):
    """Whatever ids come next; it waits for a snapshot once they come."""
    for doc, conn in ((diff(12, 10, T), USDM), (snapshot(11, T), DEPTH)):
        watch.take(text(doc), conn, RECV)
    watch.lose("BTCUSDT", "reconnect")
    assert (watch.unknown(), watch.waiting()) == (["BTCUSDT"], set())
    watch.take(text(diff(13, 12, T)), USDM, RECV)
    assert (watch.unknown(), watch.waiting()) == (["BTCUSDT"], {"BTCUSDT"})


def test_a_crossed_book_of_a_stream_is_unknown_after_two_messages():
    """Its ids follow; the kernel will say the same, and nothing else would ask for a snapshot."""
    watch = Watch("bybit-linear", ("BTCUSDT",))
    conn = "bybit-linear ws://x"

    def take(kind, update, bids, asks):
        data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": update}
        watch.take(text({"topic": "orderbook.200.BTCUSDT", "type": kind, "ts": T, "cts": T, "data": data}), conn, RECV)

    take("snapshot", 5, [["1", "1"]], [["2", "1"]])
    take("delta", 6, [["3", "1"]], [])
    assert watch.unknown() == []
    take("delta", 7, [], [])
    assert (watch.unknown(), watch.breaks, watch.crossed) == (["BTCUSDT"], 0, 1)
    take("delta", 8, [], [])
    assert watch.waiting() == {"BTCUSDT"}
    take("snapshot", 9, [["1", "1"]], [["2", "1"]])
    assert watch.unknown() == []


@pytest.mark.promise("A9")
@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff\xfe"])
def test_garbage_breaks_nothing(watch, payload):
    """It is no message of any book; the index quarantines it with its reason."""
    assert watch.take(payload, USDM, RECV) == (None, None)
    assert watch.breaks == 0


def test_other_symbols_and_answers_are_not_followed(watch):
    """An acknowledgement, a symbol that was not asked for."""
    assert watch.take(text({"result": None, "id": 1}), USDM, RECV) == (None, None)
    assert watch.take(text(diff(2, 1, T, symbol="ETHUSDT")), USDM, RECV) == (None, None)
    assert watch.breaks == 0


@pytest.mark.parametrize(
    "spoilt",
    [
        {"b": [["x", "1"]]},
        {"b": [["0", "1"]]},
        {"b": [["1"]]},
        {"b": [[1, 2]]},
        {"b": None},
        {"a": [["1", "-1"]]},
        {"u": "x"},
        {"T": 0},
        {"T": T + 10**8},
        {"T": T - 10**5},
    ],
)
def test_what_the_decoder_will_quarantine_is_not_followed(watch, spoilt):
    """Else the book would be unknown there, and nobody would ask for a snapshot."""
    for doc, conn in ((diff(12, 10, T), USDM), (snapshot(11, T), DEPTH)):
        watch.take(text(doc), conn, RECV)
    bad = diff(13, 12, T)
    bad["data"] |= spoilt
    assert watch.take(text(bad), USDM, RECV) == ("BTCUSDT", bad)
    watch.take(text(diff(14, 13, T)), USDM, RECV)
    assert watch.breaks == 1


SAMPLES = {
    "binance-usdm": (USDM, diff(12, 10, T, [("1.0", "2")])),
    "binance-spot": (DEPTH.replace("usdm", "spot"), snapshot(11, T)),
    "bybit-linear": (
        "bybit-linear ws://x",
        {
            "topic": "orderbook.200.BTCUSDT",
            "type": "delta",
            "ts": T,
            "cts": T,
            "data": {"s": "BTCUSDT", "b": [["1", "2"]], "a": [], "u": 2, "seq": 3},
        },
    ),
    "okx-swap": (
        "okx-swap ws://x",
        {
            "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"},
            "action": "update",
            "data": [{"bids": [["1", "2", "0", "1"]], "asks": [], "ts": str(T), "seqId": 2, "prevSeqId": 1}],
        },
    ),
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.promise("A9")
@settings(max_examples=examples(40, 150), deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_no_frame_ends_the_capture(venue, data):
    """A venue's own frame with anything in the place of any part is taken or quarantined, here and by the decoder."""
    conn, doc = SAMPLES[venue]
    found = Watch(venue, ("BTCUSDT", "BTC-USDT-SWAP"))
    replay = Feed(Decoder(Instrument(f"{venue}.BTCUSDT", 1, 3, 1, 1)), Sampler(room=64))
    for frame in (planted(doc, data.draw), planted(doc, data.draw), doc):
        seen = found.take(text(frame), conn, RECV)[1]
        if seen is not None:
            replay.offer(seen, RECV)


def planted(doc, draw):
    """A copy with junk in one place, however deep."""
    if not isinstance(doc, dict | list) or not doc or draw(st.integers(0, 3)) == 0:
        return draw(JUNK)
    key = draw(st.sampled_from(sorted(doc) if isinstance(doc, dict) else range(len(doc))))
    copy = doc.copy()
    copy[key] = planted(doc[key], draw)
    return copy
