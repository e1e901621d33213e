"""The watch: which books can be rebuilt, by ids alone."""

import json

import pytest

from ml.capture.watch import Watch
from tests.scenario import diff, snapshot

T = 1_741_000_000_000
USDM = "binance-usdm wss://x/public/stream"
DEPTH = "binance-usdm https://x/fapi/v1/depth?symbol=BTCUSDT&limit=1000"


def text(doc) -> bytes:
    return json.dumps(doc).encode()


@pytest.fixture
def watch():
    return Watch("binance-usdm", ("BTCUSDT",))


def test_a_book_is_known_from_its_snapshot_on(watch):
    """Diffs wait, the snapshot connects them."""
    watch.take(text(diff(12, 10, T)), USDM)
    assert watch.unknown() == ["BTCUSDT"]
    assert watch.take(text(snapshot(11, T)), DEPTH)[:2] == ("BTCUSDT", False)
    assert watch.unknown() == []


def test_a_jump_of_ids_is_a_break(watch):
    """It is told once, and the book is unknown."""
    for doc, conn in ((diff(12, 10, T), USDM), (snapshot(11, T), DEPTH), (diff(13, 12, T), USDM)):
        assert not watch.take(text(doc), conn)[1]
    assert watch.take(text(diff(20, 17, T)), USDM)[1]
    assert not watch.take(text(diff(21, 20, T)), USDM)[1]
    assert (watch.unknown(), watch.breaks) == (["BTCUSDT"], 1)


def test_a_lost_connection_makes_the_book_unknown(watch):
    """Whatever ids come next."""
    for doc, conn in ((diff(12, 10, T), USDM), (snapshot(11, T), DEPTH)):
        watch.take(text(doc), conn)
    watch.lose("BTCUSDT", "reconnect")
    assert watch.unknown() == ["BTCUSDT"]


@pytest.mark.promise("A9")
@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"\xff\xfe", b'{"stream":"x","data":{"s":"BTCUSDT","e":"depthUpdate"}}']
)
def test_garbage_breaks_nothing(watch, payload):
    """It is counted; the decoder will set it aside with its reason."""
    assert watch.take(payload, USDM) == (None, False, None)
    assert watch.unreadable == 1


def test_other_symbols_and_answers_are_not_followed(watch):
    """An acknowledgement, a symbol that was not asked for."""
    assert watch.take(text({"result": None, "id": 1}), USDM) == (None, False, None)
    assert watch.take(text(diff(2, 1, T, symbol="ETHUSDT")), USDM) == (None, False, None)
    assert watch.unreadable == 0
