"""Large new lots that are pulled together make a cluster; its features are what the script says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.layering import layout
from ml.layering.features import FEATURES, NAMES
from ml.layering.finder import Finder, joined
from tests.support.examples import examples
from tests.support.layered import ASK, BID, INSTRUMENT, MS, START, TOUCH, Script, layered


def found_in(script):
    return Finder(INSTRUMENT).run(*script.streams())


def values(found, row=0):
    return dict(zip(NAMES, found.values[row].tolist(), strict=True))


def test_layers_that_are_pulled_together_are_one_cluster():
    """It is decided by the message after the pull."""
    found = found_in(layered())
    assert len(found) == 1
    head = found.header[0]
    assert head[layout.C_SIDE] == 1
    assert head[layout.C_START] == START + 70_000 * MS
    assert head[layout.C_FIRST_PULL] == head[layout.C_LAST_PULL] == START + 72_000 * MS
    assert head[layout.C_TS] == START + 72_050 * MS
    assert head[layout.C_VOLUME] == 600
    assert sorted(p for p in found.layers[0].tolist() if p) == [BID - 7, BID - 6, BID - 5]


def test_its_features_are_those_of_the_script():
    """S is the size at the touch, to 1 in 64."""
    f = values(found_in(layered()))
    assert f["lot_size"] == pytest.approx(2.0, rel=1 / 64)
    assert f["layers"] == 3
    assert f["size_cv"] == 0
    assert f["exact_share"] == 1
    assert f["placement"] == pytest.approx(0.2)
    assert f["rest"] == pytest.approx(1.8)
    assert f["pull_spread"] == 0
    assert f["filled"] == 0
    assert f["pushed_trades"] == pytest.approx(10 / 600)
    assert f["opposed_trades"] == 0
    assert f["since_pushed"] == pytest.approx(0.1)
    assert f["imbalance"] == pytest.approx(10 / 600)
    assert f["two_sided"] == f["readded"] == f["moved_share"] == f["repeats"] == 0
    assert f["nearest"] == pytest.approx(1e4 * 5.5 / 10_000.5, rel=1e-6)
    assert f["weight_change"] > 0
    assert len(FEATURES) == 24


def test_an_order_that_hops_is_one_lot_at_a_time():
    """Seven prices within four seconds, never two at once; a lot that stood beside two of them pairs with one."""
    script = Script(80)
    for k in range(7):
        script.order(1, BID - 5 - k, 200 + k, 70_000 + 600 * k, 70_400 + 600 * k)
    found = found_in(script)
    assert len(found) == 7
    assert found.header[:, layout.C_LAYERS].tolist() == [1] * 7
    script.order(1, BID - 15, 210, 71_200, 72_000)
    beside = found_in(script)
    assert max(beside.header[:, layout.C_LAYERS]) == 2


ORDERS = st.tuples(st.integers(0, 30), st.integers(2, 30), st.integers(100, 400))


@given(st.lists(ORDERS, min_size=1, max_size=12, unique_by=lambda order: order[2]))  # an equal size would be a move
@settings(max_examples=examples(20, 60), deadline=None)
def test_a_cluster_is_the_largest_set_of_lots_that_stood_together(orders):
    """Against every set that a brute force tries: lots that all stood at one time, of similar size and birth."""
    script = Script(84)
    lots = []
    for k, (born, life, size) in enumerate(orders):
        start, end = 70_000 + 200 * born, 70_000 + 200 * (born + life)
        script.order(1, BID - 5 - k, size, start, end)
        lots.append((start, end, size))
    found = found_in(script)
    volumes = {}
    for last_pull, volume in found.header[:, [layout.C_LAST_PULL, layout.C_VOLUME]].tolist():
        volumes.setdefault((last_pull - START) // MS, []).append(volume)
    expected = {end: [largest_together(lots, end, 500), largest_together(lots, end, 6_000)] for _, end, _ in lots}
    expected = {end: [volume for volume in both if volume] for end, both in expected.items()}
    assert volumes.keys() == {end for end, both in expected.items() if both}
    for end, told in volumes.items():
        assert told[0] == expected[end][0]
        assert told[-1] in expected[end]


def largest_together(lots, now, within):
    """Volume of the largest cluster whose last pull is at `now` (ms), its pulls within a time; 0 below 1.5 S."""
    pulled = [lot for lot in lots if now - within <= lot[1] <= now]
    largest = 0
    for _, first_pull, _ in pulled:
        standing = [lot for lot in pulled if lot[0] < first_pull <= lot[1]]
        for born, _, size in standing:
            group = [lot for lot in standing if size <= lot[2] <= 2.5 * size and abs(lot[0] - born) <= 4_000]
            if any(lot[1] == now for lot in group):
                largest = max(largest, sum(lot[2] for lot in group))
    return largest if largest >= 152 else 0  # S is the size at the touch, 100, to 1 in 64


def test_mirrored_sides_give_the_mirrored_cluster():
    """Bids and asks are treated alike."""
    script = Script(75)
    for k in range(3):
        script.order(-1, ASK + 5 + k, 200, 70_000 + 100 * k, 72_000)
    script.trade(71_900, -1, BID, 10)
    script.level(71_900, 1, BID, TOUCH - 10)
    mirrored = found_in(script)
    assert mirrored.header[0, layout.C_SIDE] == -1
    for name, value in values(found_in(layered())).items():
        if name not in ("depth_share", "msci", "weight_change", "mid_move"):  # the far levels of the two sides differ
            assert values(mirrored)[name] == pytest.approx(value, abs=1e-3), name


def test_orders_that_are_filled_are_no_cluster():
    """Trades at their prices took them, whichever arrives first."""
    script = layered()
    for k in range(3):
        script.trade(71_990, -1, BID - 5 - k, 200)
    assert len(found_in(script)) == 0


@pytest.mark.parametrize("ms", [50, 100])
def test_a_ladder_that_comes_back_at_other_prices_was_not_pulled(ms):
    """Within 100 ms and at the same sizes it was moved."""
    script = Script(75)
    for k, size in enumerate((200, 210, 220)):
        script.order(1, BID - 5 - k, size, 70_000, 72_000)
        script.order(1, BID - 8 - k, size, 72_000 + ms, 74_000)
    found = found_in(script)
    assert [head[layout.C_LAST_PULL] for head in found.header.tolist() if head[layout.C_TS] < START + 72_060 * MS] == (
        [] if ms == 50 else [START + 72_000 * MS]
    )
    last = values(found, len(found) - 1)
    assert last["moved_share"] == 1
    assert found.header[-1, layout.C_START] == START + 70_000 * MS


def test_nothing_is_found_before_the_size_scale_is_known_or_after_a_reset():
    """60 s of best sizes are needed, and never across a break."""
    early = Script(75)
    for k in range(3):
        early.order(1, BID - 5 - k, 200, 50_000, 52_000)
    assert len(found_in(early)) == 0
    books, trades = layered().streams()
    books.flags[1_300] = 2  # the book is lost at 65 s
    assert len(Finder(INSTRUMENT).run(books, trades)) == 0


def test_small_far_and_old_lots_are_not_followed():
    """Half a typical best size, 20 bps, 90 s."""
    assert len(found_in(layered(size=40))) == 0
    script = Script(75)
    for k in range(3):
        script.order(1, BID - 25 - k, 200, 70_000, 72_000)
    assert len(found_in(script)) == 0


def test_one_message_at_a_time_gives_the_same_clusters():
    """A live stream and a day agree in every bit."""
    script = layered(80)
    for k in range(4):
        script.order(-1, ASK + 4 + k, 150 + k, 72_500, 73_500 + 500 * k)
    books, trades = script.streams()
    whole = Finder(INSTRUMENT).run(books, trades)
    finder = Finder(INSTRUMENT)
    parts = []
    start = 0
    for k in range(len(books.ts)):
        end = int(books.end[k])
        one = books._replace(
            ts=books.ts[k : k + 1],
            arrival=books.arrival[k : k + 1],
            flags=books.flags[k : k + 1],
            end=books.end[k : k + 1] - start,
            side=books.side[start:end],
            price=books.price[start:end],
            size=books.size[start:end],
        )
        now = (trades.arrival <= books.arrival[k]) & (trades.arrival > books.arrival[k - 1] if k else True)
        parts.append(finder.run(one, trades._make(column[now] for column in trades)))
        start = end
    live = joined(parts)
    assert len(whole) > 1
    for one, other in zip(whole, live, strict=True):
        np.testing.assert_array_equal(one, other)
