"""Which venue a frame is of."""

import pytest

from ml.core.errors import FrameError, InstrumentError
from ml.market.decode.id_rules import RULES
from ml.market.venues import binance, bybit
from ml.market.venues.dialects import DIALECTS, dialect, route
from tests.support.scenario import diff, snapshot

LINEAR = "wss://stream.bybit.com/v5/public/linear"
BOOK = {"topic": "orderbook.50.BTCUSDT", "data": {}}


@pytest.mark.parametrize(
    ("venue", "module"), [("binance-usdm", binance), ("sim", binance), ("bybit-linear", bybit), ("bybit-spot", bybit)]
)
def test_a_venue_has_its_parser(venue, module):
    """Found by the venue's name."""
    assert dialect(venue).own is module


def test_an_unknown_venue_is_an_error_that_lists_the_known():
    """So that a misspelt one is seen at once."""
    with pytest.raises(InstrumentError, match=r"Venue kraken is not supported.*bybit-inverse"):
        dialect("kraken")


def test_every_venue_that_can_be_read_can_be_followed():
    """A parser without a rule for its update ids would fail at the first frame."""
    assert DIALECTS.keys() == RULES.keys()


@pytest.mark.parametrize("module", sorted(set(DIALECTS.values()), key=str), ids=lambda m: m.__name__)
def test_every_parser_has_the_same_face(module):
    """The decoder calls these and nothing else."""
    assert all(callable(getattr(module, name)) for name in ("route", "kind", "event_ts", "outline", "parse"))


@pytest.mark.parametrize(
    ("doc", "conn", "expected"),
    [
        (diff(2, 1, 1_741_000_000_000), "", ("binance-usdm", "BTCUSDT")),
        (snapshot(2, 1_741_000_000_000), "", ("binance-usdm", None)),
        (BOOK, LINEAR, ("bybit-linear", "BTCUSDT")),
        ({"success": True, "op": "subscribe"}, LINEAR, None),
        ({"op": "pong"}, LINEAR, None),
        ({"result": None, "id": 1}, "", None),
    ],
    ids=["diff", "rest", "bybit", "subscribed", "pong", "binance ack"],
)
def test_frames_find_their_venue_and_acknowledgements_none(doc, conn, expected):
    """What only answers a request is no market data and no error."""
    assert route(doc, conn) == expected


@pytest.mark.parametrize("doc", [[], 3, None, "text", {}, {"result": 1}, {"type": "l2update", "product_id": "BTC-USD"}])
def test_anything_else_is_unknown(doc):
    """JSON of any shape is quarantined with its reason, never a crash."""
    with pytest.raises(FrameError, match="unknown_frame"):
        route(doc, "")
