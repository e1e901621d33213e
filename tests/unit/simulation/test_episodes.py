"""Episodes have the shape that their variant says, and only start where the market allows it."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from ml.core.errors import SettingsError
from ml.core.time import SECOND
from ml.simulation.episodes import HARD_NEGATIVES, LAYERING, VARIANTS, Ranges, draw_episode, typical_size
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.overlay import draw_episodes, tape, truth

START = 1_741_046_100 * 10**9


@pytest.fixture(scope="module")
def market():
    published = run(Exchange(3, 900), START)
    return tape(published.books, published.trades, INSTRUMENT)


@pytest.fixture(scope="module")
def drawn(market):
    """Some episodes of every variant."""
    return {name: draw_episodes(market, 5, [name], 30) for name in VARIANTS}


def displayed(episode):
    """Size that the episode shows by side and price, at its end."""
    total = defaultdict(int)
    for change in sorted(episode.changes):
        total[change.side, change.price] += change.size
        assert total[change.side, change.price] >= 0
    return total


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_places_and_removes_what_it_says(drawn, name):
    """Nothing is left over, no size is negative, and the layers are those of the truth."""
    assert len(drawn[name]) >= 3
    for episode in drawn[name]:
        assert set(displayed(episode).values()) == {0}
        assert episode.label == (name in LAYERING)
        assert episode.start <= episode.first_pull <= episode.last_pull <= episode.end
        shown = {(c.side, c.price) for c in episode.changes}
        last = [p for p in episode.prices if (episode.side, p) in shown]
        assert last == episode.prices
        assert len(set(episode.prices)) == len(episode.sizes)


@pytest.mark.parametrize("name", LAYERING)
def test_layers_lie_behind_the_touch_and_a_smaller_order_trades_against_them(drawn, market, name):
    """The defining marks: one-sided, large, away from the touch, gone right after the fill on the other side."""
    for episode in drawn[name]:
        (fill,) = episode.trades
        assert fill.side == episode.side
        assert fill.size < sum(episode.sizes) / 2
        assert episode.start <= fill.ts <= episode.first_pull <= fill.ts + SECOND
        touch = market.touch(episode.side, episode.first_pull - 1)
        assert all((touch - price) * episode.side > 0 for price in episode.prices)
        scale = typical_size(market, episode.start)
        assert np.median(episode.sizes) > 0.3 * episode.m * scale


def test_variants_differ_in_the_way_that_their_name_says(drawn):
    """Timing of the pulls, number of layers, sides and moves."""
    spread = {name: [e.last_pull - e.first_pull for e in drawn[name]] for name in LAYERING}
    assert max(spread["simultaneous"]) <= 0.3 * SECOND
    assert min(spread["staggered"]) > max(spread["simultaneous"])
    assert max(e.first_pull - e.start for e in drawn["sub_second"]) < 0.5 * SECOND
    assert {len(e.prices) for e in drawn["two_layers"]} == {2}
    assert {len(e.prices) for e in drawn["single_wall"]} == {1}
    both = [{c.side for c in e.changes if c.price not in [f.price for f in e.trades]} for e in drawn["both_sides"]]
    assert all(sides == {1, -1} for sides in both)
    assert all(len({c.price for c in e.changes if c.side == e.side}) > len(e.prices) for e in drawn["moving"])
    cv = {n: np.mean([np.std(np.log(e.sizes)) for e in drawn[n]]) for n in ("simultaneous", "jittered")}
    assert cv["jittered"] > 2 * cv["simultaneous"]


def test_hard_negatives_are_what_their_name_says(drawn):
    """Filled on their own side, moved on both sides, meant, or lost from sight."""
    for episode in drawn["accumulation"] + drawn["iceberg"]:
        assert sum(fill.size for fill in episode.trades) == -sum(c.size for c in episode.changes if c.size < 0)
        assert all(fill.side == -episode.side for fill in episode.trades)
    assert all(e.trades[0].side == -e.side and e.trades[0].ts < e.first_pull for e in drawn["pull_after_fill"])
    for name in ("ladder_requote", "inventory_skew"):
        assert not any(e.trades for e in drawn[name])
    assert all(e.reset == e.first_pull for e in drawn["feed_reset"])
    assert not set(LAYERING) & set(HARD_NEGATIVES)


def test_the_same_seed_gives_the_same_episodes(market):
    """Another seed gives others; the ids of the truth name the seed."""
    one = truth(draw_episodes(market, 5, list(VARIANTS), 20), "sim.SIMUSDT", 5)
    assert one.equals(truth(draw_episodes(market, 5, list(VARIANTS), 20), "sim.SIMUSDT", 5))
    assert not one.equals(truth(draw_episodes(market, 6, list(VARIANTS), 20), "sim.SIMUSDT", 5))
    assert one["episode_id"].n_unique() == one.height
    assert one["episode_id"][0].startswith("sim.SIMUSDT-5-")


def test_episodes_do_not_meet(market):
    """One ends before the next one starts."""
    found = draw_episodes(market, 7, list(VARIANTS), 60)
    assert len(found) > 15
    assert all(a.end < b.start for a, b in pairwise(found))


def test_no_episode_spans_an_anchor_of_the_book(market):
    """Where the book starts over, nobody knows what its orders were."""
    broken = market._replace(known=market.known.copy())
    broken.known[len(market.ts) // 2] = False
    at = market.ts[len(market.ts) // 2]
    found = draw_episodes(broken, 5, ["simultaneous"], 200)
    assert found
    assert all(e.end < at or e.start > at for e in found)


def test_a_price_that_trades_through_the_layers_takes_the_episode(market):
    """A market that falls through every price has no bid layers; one that rises has no ask layers."""
    n = len(market.ts)
    falling = market._replace(price=market.price - 40 * np.arange(n))
    found = draw_episodes(falling, 5, ["simultaneous"], 60)
    assert {e.side for e in found} <= {-1}


def test_sizes_follow_the_market_before_the_episode(market):
    """The scale is the median best size of the trailing half hour; what comes later does not change it."""
    at = int(market.ts[2_000])
    later = market._replace(size=market.size.copy())
    later.size[:, 2_001:] *= 1_000
    assert typical_size(later, at) == typical_size(market, at) == np.median(market.size[:, :2_001])


def test_ranges_know_where_they_overlap():
    """Shared values and shared intervals; ends that only touch are no overlap."""
    one = Ranges(m=((1.0, 1.0), (2.0, 2.0)), rest_s=((1.0, 2.0),))
    other = Ranges(
        m=((1.1, 1.9),),
        layers=((7, 7),),
        first_bps=((6.0, 8.0),),
        step_bps=((1.3, 1.5),),
        placing_s=((0.0, 0.1),),
        rest_s=((2.0, 3.0),),
        pull_s=((0.3, 0.4),),
        fill_before_s=((0.9, 1.0),),
        slow_pull_s=((5.0, 6.0),),
        brief_rest_s=((0.4, 0.5),),
        requote_s=((0.5, 1.0),),
    )
    assert one.overlap(other) == other.overlap(one) == []
    assert "rest_s" in one.overlap(Ranges(rest_s=((1.9, 2.5),)))
    assert "m" in one.overlap(Ranges(m=((2.0, 2.0),)))
    assert "m" in one.overlap(Ranges(m=((1.5, 2.5),)))


def test_an_unknown_variant_is_named(market):
    """With those that there are."""
    with pytest.raises(SettingsError, match=r"no variant spoofy.*simultaneous"):
        draw_episode(np.random.default_rng(1), "spoofy", Ranges(), market, int(market.ts[3_000]))
