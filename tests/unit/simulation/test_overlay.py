"""Planted streams are the market plus the episodes, and nothing else changes."""

import numpy as np
import pytest

from ml.core.time import SECOND
from ml.market.decode.events import CLEAR, SNAPSHOT
from ml.simulation.episodes import VARIANTS, Change, Episode, PlantedTrade
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.overlay import draw_episodes, plant, tape

START = 1_741_046_100 * 10**9


@pytest.fixture(scope="module")
def market():
    published = run(Exchange(4, 300), START)
    return published.books, published.trades


@pytest.fixture(scope="module")
def episodes(market):
    found = draw_episodes(tape(*market, INSTRUMENT), 9, [v for v in VARIANTS if v != "feed_reset"], 40)
    assert len(found) > 8
    return found


def books(stream, keys=None):
    """The book after each message, of some sides and prices or of all: the slow way."""
    book = {}
    start = 0
    for k, end in enumerate(stream.end.tolist()):
        if stream.flags[k] & CLEAR:
            book = {}
        rows = slice(start, end)
        for side, *level in zip(*(c[rows].tolist() for c in (stream.side, stream.price, stream.size)), strict=True):
            if side and (keys is None or (side, level[0]) in keys):
                book[side, level[0]] = level[1]
        start = end
        yield k, {key: size for key, size in book.items() if size}


def test_the_planted_book_is_the_market_and_what_the_episodes_show(market, episodes):
    """After each message, at each price at which an episode has an order."""
    planted, _ = plant(*market, episodes)
    changes = sorted(change for episode in episodes for change in episode.changes)
    keys = {(change.side, change.price) for change in changes}
    shown = dict.fromkeys(keys, 0)
    done = 0
    differing = 0
    for (k, real), (_, mixed) in zip(books(market[0], keys), books(planted, keys), strict=True):
        while done < len(changes) and changes[done].ts <= market[0].ts[k]:
            _, side, price, size = changes[done]
            shown[side, price] += size
            done += 1
        expected = {key: real.get(key, 0) + size for key, size in shown.items()}
        assert {key: size for key, size in expected.items() if size} == mixed
        differing += real != mixed
    assert done == len(changes)
    assert differing > 500


def test_messages_keep_their_time_and_other_prices_their_rows(market, episodes):
    """The rows of prices without an episode are the same, in the same order."""
    books, _ = market
    planted, _ = plant(*market, episodes)
    assert np.array_equal(planted.ts, books.ts)
    assert np.array_equal(planted.flags, books.flags)
    touched = {(c.side, c.price) for e in episodes for c in e.changes}
    rows = [
        [row for row in zip(b.side.tolist(), b.price.tolist(), b.size.tolist(), strict=True) if row[:2] not in touched]
        for b in (books, planted)
    ]
    assert rows[0] == rows[1]


def test_trades_of_the_episodes_are_added_in_time(market, episodes):
    """Each is there once, between trades before and after it; the others are the same."""
    _, trades = market
    _, planted = plant(*market, episodes)
    trade_rows = sorted(fill for episode in episodes for fill in episode.trades)
    rows = list(zip(*(c.tolist() for c in (planted.ts, planted.side, planted.price, planted.size)), strict=True))
    for fill in trade_rows:
        rows.remove(tuple(fill))
    assert rows == list(zip(*(c.tolist() for c in (trades.ts, trades.side, trades.price, trades.size)), strict=True))
    assert np.all(np.diff(planted.arrival) >= 0)
    assert np.all(np.diff(planted.ts) >= 0)


def test_a_feed_reset_loses_messages_and_starts_over_without_the_layers(market):
    """The book is unknown, then a snapshot sets it to what the market then is."""
    market_tape = tape(*market, INSTRUMENT)
    (episode,) = draw_episodes(market_tape, 2, ["feed_reset"], 1)
    planted, trades = plant(*market, [episode])
    assert np.array_equal(trades.ts, market[1].ts)
    (lost,) = np.flatnonzero(planted.flags == CLEAR)
    assert planted.flags[lost + 1] == CLEAR | SNAPSHOT
    assert len(planted.ts) < len(market[0].ts)
    assert planted.ts[lost - 1] < episode.reset <= planted.ts[lost]
    *_, (_, expected) = books(market[0])
    *_, (_, end) = books(planted)
    assert end == expected
    last = next(book for k, book in books(planted) if k == lost - 1)
    assert all((episode.side, price) in last for price in episode.prices)


def test_a_change_after_the_last_message_is_not_seen(market):
    """And no episodes change nothing."""
    for episodes in ([], [_late(market)]):
        planted, trades = plant(*market, episodes)
        assert all(np.array_equal(a, b) for a, b in zip(planted, market[0], strict=True))
        assert len(trades.ts) == len(market[1].ts) + sum(len(e.trades) for e in episodes)


def _late(market):
    end = int(market[0].ts[-1]) + SECOND
    return Episode(
        "simultaneous", 1, 1.0, [1], [1], end, end, end, [Change(end, 1, 1, 1)], [PlantedTrade(end, 1, 1, 1)]
    )
