"""Plans: every symbol is asked for once, with book and trades, within the venues' limits."""

import json

import pytest

from ml.capture.plans import PER_CONNECTION, PLANS, plan
from ml.core.errors import SettingsError
from ml.market.decode.id_rules import RULES

MANY = [f"S{k}USDT" for k in range(2 * PER_CONNECTION + 3)]


@pytest.mark.parametrize("venue", PLANS)
def test_every_symbol_is_on_one_connection_of_each_kind(venue):
    """No symbol is forgotten or asked for twice over one address."""
    connections = PLANS[venue].subscriptions(PLANS[venue].endpoints, MANY)
    for url in {connection.url for connection in connections}:
        asked = [symbol for connection in connections if connection.url == url for symbol in connection.symbols]
        assert asked == MANY


@pytest.mark.parametrize("venue", PLANS)
def test_books_and_trades_are_subscribed(venue):
    """In the venue's own words, for each symbol."""
    found = PLANS[venue]
    text = json.dumps([c.subscribe for c in found.subscriptions(found.endpoints, ["BTCUSDT", "ETHUSDT"])]).lower()
    for symbol in ("btcusdt", "ethusdt"):
        assert symbol in text
    assert "trade" in text
    assert "depth" in text or "orderbook" in text or '"books"' in text


@pytest.mark.parametrize("venue", PLANS)
def test_every_book_is_carried_by_one_connection(venue):
    """Its loss makes the book unknown; the loss of candles and mark prices does not."""
    connections = PLANS[venue].subscriptions(PLANS[venue].endpoints, MANY)
    assert [symbol for connection in connections for symbol in connection.books] == MANY
    for connection in connections:
        text = json.dumps(connection.subscribe)
        assert bool(connection.books) == any(word in text for word in ("@depth", "orderbook", '"books"'))


@pytest.mark.parametrize("venue", PLANS)
def test_a_snapshot_is_asked_for_where_the_stream_sends_none(venue):
    """By the same rule that the decoder follows."""
    assert (PLANS[venue].snapshot is None) == RULES[venue].on_stream == (PLANS[venue].renew is not None)


@pytest.mark.parametrize("venue", [name for name, found in PLANS.items() if found.snapshot is None])
def test_a_book_is_renewed_by_the_very_topic_that_was_subscribed(venue):
    """It ends and begins, and names one symbol and nothing but its book."""
    found = PLANS[venue]
    assert found.renew is not None
    end, begin = found.renew("BTCUSDT")
    assert (end["op"], begin["op"], end["args"]) == ("unsubscribe", "subscribe", begin["args"])
    (topic,), connections = begin["args"], found.subscriptions(found.endpoints, ["BTCUSDT"])
    assert topic in [arg for connection in connections for message in connection.subscribe for arg in message["args"]]
    assert "book" in str(topic)


def test_bybit_takes_ten_topics_a_message():
    """More are refused on spot."""
    found = PLANS["bybit-spot"]
    for connection in found.subscriptions(found.endpoints, MANY):
        assert all(len(message["args"]) <= 10 for message in connection.subscribe)


def test_an_unknown_venue_is_an_error_that_lists_the_known():
    """So that a misspelt one is seen at once."""
    with pytest.raises(SettingsError, match=r"'kraken' cannot be captured.*okx-swap"):
        plan("kraken")
