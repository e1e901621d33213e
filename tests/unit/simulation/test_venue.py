"""The simulated market: the same by seed, never crossed, about as busy as it says, complete in its snapshots."""

import numpy as np
import pytest

from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.simulation.plants import Alpha
from ml.simulation.publish import PUBLISH_MS, streams
from ml.simulation.venue import DEPTH, STEP_MS, Market, simulate
from tests.oracles.book import DictBook

SECONDS = 1_800


@pytest.fixture(scope="module")
def history():
    return simulate(Market(7, SECONDS, Alpha(0.25)))


@pytest.fixture(scope="module")
def samples(history):
    sampler = Sampler()
    sampler.run(*streams(history, 1_741_000_000 * 10**9))
    return sampler.samples[: sampler.released].copy()


def test_the_same_seed_is_the_same_market(history):
    """Every array, bit for bit, whatever was simulated in between; another seed is another market."""
    other = simulate(Market(8, SECONDS, Alpha(0.25)))
    again = simulate(Market(7, SECONDS, Alpha(0.25)))
    for name, one in history._asdict().items():
        np.testing.assert_array_equal(getattr(again, name), one)
    assert not np.array_equal(other.signal, history.signal)


def test_a_longer_market_begins_like_a_shorter_one(history):
    """Time only goes on."""
    short = simulate(Market(7, 600, Alpha(0.25)))
    np.testing.assert_array_equal(history.levels[: len(short.levels)], short.levels)
    np.testing.assert_array_equal(history.signal[:600], short.signal)


def test_the_hidden_state_does_not_depend_on_its_strength():
    """The dial turns the drift alone, not what is drawn for the state in the first step."""
    assert simulate(Market(7, 60, Alpha(0.0))).signal[0] == simulate(Market(7, 60, Alpha(0.3))).signal[0]
    assert set(simulate(Market(7, 600, Alpha(0.0))).signal.tolist()) == {-1, 1}


def books(history):
    """The book after each publication, kept by a dictionary."""
    book = DictBook()
    start = 0
    end = np.searchsorted(history.levels[:, 0], np.arange(len(history.ids)), side="right")
    rows = history.levels[:, 1:].tolist()
    for k in range(len(history.ids)):
        for side, tick, size in rows[start : end[k]]:
            book.set(side, tick, size)
        start = end[k]
        yield book


def test_the_book_is_never_crossed_and_never_empty(history):
    """After every publication: the best bid below the best ask, and a ladder on both sides."""
    for book in books(history):
        bids = book.sides[1]
        asks = book.sides[-1]
        assert max(bids) < min(asks)
        assert min(len(bids), len(asks)) > DEPTH // 4
        assert min(*bids.values(), *asks.values()) > 0


def test_update_ids_follow_each_other(history):
    """Each publication begins with the id after the last one's end, and spans at least one id per level."""
    first, last = history.ids.T
    np.testing.assert_array_equal(first[1:], last[:-1] + 1)
    changed = np.bincount(history.levels[:, 0], minlength=len(first))
    assert (last - first + 1 >= changed).all()
    assert len(first) == SECONDS * 1000 // PUBLISH_MS


def test_a_snapshot_every_minute_is_the_book_between_two_publications(history):
    """Its id lies within a publication, and it differs from that publication's book in levels of that one alone."""
    ms, update = history.snapshot_ids.T
    np.testing.assert_array_equal(np.diff(ms), 60_000)
    assert len(ms) == SECONDS // 60
    wanted = dict(zip((ms // PUBLISH_MS).tolist(), range(len(ms)), strict=True))
    found = 0
    for k, book in enumerate(books(history)):
        if k not in wanted:
            continue
        number = wanted[k]
        assert history.ids[k, 0] <= update[number] <= history.ids[k, 1]
        rows = history.snapshots[history.snapshots[:, 0] == number][:, 1:].tolist()
        after = {(side, tick) for side, tick, _ in history.levels[history.levels[:, 0] == k][:, 1:].tolist()}
        shown = {(side, tick): size for side, tick, size in rows}
        kept = {(side, p): s for side in (1, -1) for p, s in book.sides[side].items() if (side, p) not in after}
        assert {level: size for level, size in shown.items() if level not in after} == kept
        found += 1
    assert found == len(ms)


def test_about_as_busy_as_the_documentation_says(history, samples):
    """60 level updates and 1.5 trades per second, and a standard deviation of 8 ticks over 10 s."""
    assert len(history.levels) / SECONDS == pytest.approx(60, rel=0.1)
    assert len(history.trades) / SECONDS == pytest.approx(1.5, rel=0.25)
    mid = (samples[:, layout.BID_PRICE] + samples[:, layout.ASK_PRICE]) / 2
    assert np.std(mid[10:] - mid[:-10]) == pytest.approx(8, rel=0.2)


def test_market_orders_excite_each_other(history):
    """Counts per second vary more than those of a Poisson process."""
    orders = np.unique(history.trades[:, :2], axis=0)[:, 0]
    counts = np.bincount(orders // 1000, minlength=SECONDS)
    assert counts.var() / counts.mean() > 1.2


def test_trades_take_from_the_side_that_they_hit(history):
    """Buys print at asks, sells at bids: at or beyond the mid of the last publication, give or take its age."""
    tops = np.array([(max(book.sides[1]), min(book.sides[-1])) for book in books(history)])
    ms, side, tick, size = history.trades.T
    known = ms // PUBLISH_MS >= 1
    mid = tops[ms[known] // PUBLISH_MS - 1].mean(axis=1)
    assert ((tick[known] - mid) * side[known]).mean() > 0.5
    assert size.min() >= 1
    assert (np.diff(ms) > -STEP_MS).all()


@pytest.mark.parametrize("seed", [4, 8])
def test_no_order_comes_before_the_book_is_laid(seed):
    """In these seeds the very first step draws a market order; there is nothing yet that it could meet."""
    first = simulate(Market(seed, 5, Alpha(0.0)))
    assert (first.trades[:, 2] > 0).all()
    assert (first.levels[:, 2] > 0).all()
