"""The simulated exchange: exact, repeatable, scaled by its parameters, and like a market where it is measured."""

import numpy as np
import pytest

from ml.market.decode.events import CLEAR, SNAPSHOT
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.stylised import BANDS, compare, measure, replay

START = 1_741_046_400 * 10**9
SEEDS = (1, 2, 3, 4)
STEADY = (
    "spread_one_tick",
    "best_size_median",
    "occupied_100",
    "depth_1000_ticks",
    "interval_ms_p50",
    "updates_per_second",
    "orders_per_second",
    "order_size_ln_mean",
    "order_size_ln_sd",
    "added_per_second",
    "cancelled_share",
    "decreases_correlation",
    "imbalance_auc_1s",
)
"""Facts that five minutes of one seed show well enough."""


@pytest.fixture(scope="module")
def published():
    return run(Exchange(1, 300), START)


def test_five_minutes_look_like_a_market(published):
    """The facts that need no hour; the others are tested over fixed seeds by the slow test."""
    facts = measure(published.books, published.trades, INSTRUMENT)
    assert {band.fact for band in BANDS} <= facts.keys()
    outside = [(band.fact, value) for band, value, holds in compare(facts) if band.fact in STEADY and not holds]
    assert outside == []


@pytest.mark.slow
def test_every_stylised_fact_lies_in_its_band():
    """Mean over fixed seeds of half an hour each."""
    found = [run(Exchange(seed, 1_800), START) for seed in SEEDS]
    facts = [measure(one.books, one.trades, INSTRUMENT) for one in found]
    mean = {name: float(np.mean([each[name] for each in facts])) for name in facts[0]}
    assert [(band.fact, value, band.low, band.high) for band, value, holds in compare(mean) if not holds] == []


def test_the_same_seed_gives_the_same_market(published):
    """To the last row; another seed gives another."""
    again = run(Exchange(1, 300), START)
    assert all(np.array_equal(a, b) for a, b in zip(published.books, again.books, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(published.trades, again.trades, strict=True))
    other = run(Exchange(2, 300), START)
    assert len(other.books.side) != len(published.books.side)


def test_the_book_is_never_crossed_and_trades_take_what_was_there(published):
    """Best bid below best ask after each message; no size below zero; one aggressor never trades with its own side."""
    touch = replay(published.books, INSTRUMENT.tick).touch
    assert np.all(touch[:, 0] > 0)
    assert np.all(touch[:, 2] > touch[:, 0])
    assert published.books.size.min() >= 0
    trades = published.trades
    before = np.maximum(np.searchsorted(published.books.ts, trades.ts, side="right") - 1, 0)
    away = np.where(trades.side > 0, trades.price - touch[before, 0], touch[before, 2] - trades.price)
    assert np.mean(away > 0) > 0.9  # the touch may have moved since the last publication
    assert np.all(np.diff(trades.arrival) >= 0)


def test_times_and_ids_ascend(published):
    """Messages about 52 ms apart; ids without a hole."""
    assert np.all(np.diff(published.books.ts) > 0)
    assert published.books.ts[0] == START
    assert np.all(published.ids[1:, 0] == published.ids[:-1, 1] + 1)
    assert published.books.flags[0] == CLEAR | SNAPSHOT
    assert not np.any(published.books.flags[1:])


def test_sizes_scale_with_the_typical_best_size():
    """Everything grows with it, so nothing may depend on an absolute size."""
    small = measure(*run(Exchange(1, 300, best_size=3.0), START)[:2], INSTRUMENT)
    large = measure(*run(Exchange(1, 300, best_size=30.0), START)[:2], INSTRUMENT)
    for name in ("best_size_median", "depth_1000_ticks", "added_per_second", "traded_per_second"):
        assert 5 < large[name] / small[name] < 20


def test_the_feed_is_lost_as_often_as_asked():
    """Each time a hole in the ids' time, then the whole book."""
    found = run(Exchange(5, 300, resets_per_hour=120), START)
    (resets,) = np.flatnonzero(found.books.flags[1:])[None]
    assert 3 <= len(resets) <= 25
    waits = np.diff(found.books.ts)[resets] / 1e9
    assert waits.min() > 0.2
    assert np.diff(found.books.end)[resets].min() > 200


def test_a_market_that_reacts_follows_its_depth():
    """With a reaction the path is another one; without, no order but those of the flows moves it."""
    paths = [replay(run(Exchange(1, 120, reaction=share), START).books, 1).touch for share in (0.0, 0.0, 0.6)]
    assert np.array_equal(paths[0], paths[1])
    assert paths[0].shape != paths[2].shape or not np.array_equal(paths[0], paths[2])
