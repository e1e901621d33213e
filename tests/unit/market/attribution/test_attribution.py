"""Every level decrease is attributed, and lots live and die as the plain ledger says, however the events are fed."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml.core.instruments import Instrument
from ml.market.attribution import layout as at
from ml.market.attribution.tracker import LotTracker, event_frame
from ml.market.book.layout import BookStream, TradeStream
from ml.market.decode.events import CLEAR, SNAPSHOT
from tests.oracles.lots import Ledger

INSTRUMENT = Instrument("binance-usdm.BTCUSDT", 1, 3, 1, 1)
LIMITED = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
KINDS = ("", "born", "shifted", "cancelled", "traded", "late_traded", "hidden", "forgotten", "reset")
MS = 10**6
START = 1_000_000 * MS


def streams(history):
    """Arrays of a list of ("snapshot" | "diff" | "lost", ms, rows) and ("trade", ms, aggressor, price, size)."""
    books = [(k, *entry) for k, entry in enumerate(history) if entry[0] != "trade"]
    trades = [(k, *entry[1:]) for k, entry in enumerate(history) if entry[0] == "trade"]
    flags = {"snapshot": SNAPSHOT | CLEAR, "diff": 0, "lost": CLEAR}
    rows = [row for *_, levels in books for row in levels or [(0, 0, 0)]]
    end = np.cumsum([max(len(levels), 1) for *_, levels in books])
    side, price, size = np.array(rows, np.int64).reshape(-1, 3).T
    return BookStream(
        np.array([START + ms * MS for _, _, ms, _ in books], np.int64),
        np.array([k for k, *_ in books], np.int64),
        np.array([flags[kind] for _, kind, _, _ in books], np.int64),
        end.astype(np.int64),
        side.astype(np.int8),
        price.copy(),
        size.copy(),
    ), TradeStream(
        np.array([START + ms * MS for _, ms, *_ in trades], np.int64),
        np.array([k for k, *_ in trades], np.int64),
        np.zeros(len(trades), np.uint8),
        np.array([side for _, _, side, _, _ in trades], np.int8),
        np.array([price for *_, price, _ in trades], np.int64),
        np.array([size for *_, size in trades], np.int64),
    )


def tracked(history, instrument=INSTRUMENT):
    """The lot events of a history, as dictionaries."""
    rows = event_frame(LotTracker(instrument).run(*streams(history))).to_dicts()
    return [row | {"kind": KINDS[row["kind"]]} for row in rows if row["kind"] != at.RESET]


def oracle(history, limited=False):
    ledger = Ledger(limited)
    for kind, ms, *rest in history:
        ts = START + ms * MS
        if kind == "trade":
            ledger.trade(ts, *rest)
        elif kind == "lost":
            ledger.lose()
        elif kind == "snapshot":
            ledger.snapshot(ts, *rest)
        else:
            ledger.book(ts, *rest)
    return [(KINDS.index(kind), *rest) for kind, *rest in ledger.events]


BOOK = [(1, 99, 50), (1, 98, 60), (-1, 101, 50), (-1, 102, 60)]


def test_a_lot_that_was_added_is_cancelled_by_its_size():
    """Exact size finds it under newer volume, and nothing is guessed."""
    history = [
        ("snapshot", 0, BOOK),
        ("diff", 50, [(1, 98, 90)]),
        ("diff", 100, [(1, 98, 95)]),
        ("diff", 900, [(1, 98, 65)]),
    ]
    *_, gone = tracked(history)
    assert gone | {"kind": "cancelled", "amount": 30, "born_ts": START + 50 * MS, "exact": 1, "left": 0} == gone
    assert gone["confidence"] == at.SURE


def test_a_guess_takes_unknown_volume_then_the_newest_lot_and_lowers_its_confidence():
    """20 of 65 left: nothing is of that size."""
    history = [
        ("snapshot", 0, [(1, 99, 5), (-1, 101, 5)]),
        ("diff", 50, [(1, 99, 35)]),
        ("diff", 100, [(1, 99, 65)]),
        ("diff", 900, [(1, 99, 45)]),
    ]
    *_, gone = tracked(history)
    assert (gone["kind"], gone["amount"], gone["left"], gone["born_ts"]) == ("cancelled", 15, 15, START + 100 * MS)
    assert gone["confidence"] == at.SURE // 3


def test_trades_explain_a_decrease_and_take_the_oldest_lot():
    """30 of 40 that left were traded by the message's time; the trade after it does not count."""
    history = [
        ("snapshot", 0, [(1, 98, 5), (-1, 101, 5)]),
        ("diff", 50, [(1, 99, 25)]),
        ("diff", 100, [(1, 99, 45)]),
        ("trade", 140, -1, 99, 30),
        ("trade", 160, -1, 99, 5),
        ("diff", 150, [(1, 99, 5)]),
    ]
    events = tracked(history)[2:]
    assert [(e["kind"], e["amount"], e["lot"]) for e in events] == [
        ("traded", 25, 1),
        ("traded", 5, 2),
        ("cancelled", 10, 2),
    ]


@pytest.mark.parametrize(
    ("trade_ms", "told"), [(40, [("late_traded", 10)]), (60, []), (200, [])], ids=["late", "next", "later"]
)
def test_a_trade_after_the_message_explains_it_only_if_it_is_of_its_time(trade_ms, told):
    """By exchange time, not by arrival."""
    history = [("snapshot", 0, BOOK), ("diff", 50, [(1, 99, 40)]), ("trade", trade_ms, -1, 99, 10)]
    assert [(e["kind"], e["amount"]) for e in tracked(history) if e["kind"] == "late_traded"] == told


def test_a_trade_that_nothing_explains_waits_for_one_message_and_is_then_hidden():
    """It never becomes a cancellation."""
    history = [
        ("snapshot", 0, BOOK),
        ("trade", 40, -1, 99, 10),
        ("diff", 50, [(-1, 105, 1)]),
        ("diff", 100, [(-1, 105, 2)]),
    ]
    assert [(e["kind"], e["amount"], e["ts"]) for e in tracked(history) if e["kind"] != "born"] == [
        ("hidden", 10, START + 100 * MS)
    ]


@pytest.mark.parametrize(("ms", "kind"), [(100, "shifted"), (149, "shifted"), (151, "born")])
def test_a_lot_that_comes_back_within_100_ms_at_another_price_was_moved(ms, kind):
    """It keeps its identity and its age."""
    history = [
        ("snapshot", 0, BOOK),
        ("diff", 10, [(1, 95, 33)]),
        ("diff", 50, [(1, 95, 0)]),
        ("diff", ms, [(1, 96, 33)]),
    ]
    first, *_, last = tracked(history)
    assert last["kind"] == kind
    assert (last["lot"] == first["lot"]) == (kind == "shifted")
    assert last["born_ts"] == (START + 10 * MS if kind == "shifted" else START + ms * MS)
    assert last["moved"] == (kind == "shifted")


def test_a_confirming_snapshot_keeps_lots_and_a_gap_forgets_them():
    """What the snapshot does not confirm is of unknown birth."""
    history = [
        ("snapshot", 0, BOOK),
        ("diff", 50, [(1, 97, 10), (1, 96, 20)]),
        ("snapshot", 100, [*BOOK, (1, 97, 10), (1, 96, 25)]),
        ("diff", 150, [(1, 97, 0), (1, 96, 5)]),
    ]
    assert [(e["kind"], e["price"]) for e in tracked(history)[2:]] == [("forgotten", 96), ("cancelled", 97)]
    broken = [*history[:2], ("lost", 60, []), ("snapshot", 100, [*BOOK, (1, 97, 10)]), ("diff", 150, [(1, 97, 0)])]
    assert [e["kind"] for e in tracked(broken)[2:]] == []


def test_a_level_that_leaves_a_limited_view_is_out_of_view_and_not_cancelled():
    """Three levels per side are shown: a better one pushes the worst out, and its removal is no cancellation."""
    book = [(1, 99, 5), (1, 98, 5), (1, 97, 5), (-1, 101, 5), (-1, 102, 5), (-1, 103, 5)]
    history = [
        ("snapshot", 0, book),
        ("diff", 50, [(1, 98, 25)]),
        ("diff", 100, [(1, 100, 5), (1, 97, 0)]),
        ("diff", 150, [(1, 98, 0), (1, 97, 5)]),
    ]
    events = tracked(history, LIMITED)
    assert [(e["kind"], e["price"]) for e in events] == [("born", 98), ("born", 100), ("forgotten", 98)]
    assert ("cancelled", 98) in [(e["kind"], e["price"]) for e in tracked(history)]


def test_a_book_that_stays_crossed_forgets_its_lots_until_the_next_snapshot():
    """One crossed message may be half of a change."""
    crossed = [("snapshot", 0, BOOK), ("diff", 50, [(1, 97, 9)]), ("diff", 100, [(1, 101, 1)])]
    assert [e["kind"] for e in tracked([*crossed, ("diff", 150, [(1, 101, 0), (1, 97, 0)])])][-1] == "cancelled"
    after = [*crossed, ("diff", 150, [(-1, 104, 1)]), ("diff", 200, [(1, 97, 0)])]
    assert "cancelled" not in [e["kind"] for e in tracked(after)]


def test_a_day_begins_without_lots():
    """A stored day stands alone, so a live stream forgets at midnight UTC too."""
    midnight = 86_400_000 - START // MS
    history = [
        ("snapshot", midnight - 500, BOOK),
        ("diff", midnight - 400, [(1, 97, 9)]),
        ("diff", midnight - 300, [(1, 96, 9)]),
        ("diff", midnight - 1, [(1, 96, 0)]),
        ("diff", midnight, [(1, 97, 0)]),
    ]
    assert [(e["kind"], e["price"]) for e in tracked(history)] == [("born", 97), ("born", 96), ("cancelled", 96)]


LEVEL = st.tuples(
    st.sampled_from([1, -1]), st.integers(0, 5), st.sampled_from([0, 0, 3, 5, 8, 8, 500, 501, 1000, 1003])
)
TRADED = st.sampled_from([1, 3, 400])
STEP = st.one_of(
    st.tuples(st.just("diff"), st.integers(0, 90), st.lists(LEVEL, min_size=1, max_size=5)),
    st.tuples(
        st.just("trade"),
        st.integers(-40, 60),
        st.sampled_from([1, -1]),
        st.integers(0, 3),
        st.sampled_from([1, 3, 400]),
    ),
    st.tuples(st.just("snapshot"), st.integers(1, 40), st.lists(LEVEL, min_size=4, max_size=8)),
    st.just(("lost", 0, [])),
)


def played(steps):
    """A history from steps: times add up, offsets become prices that do not cross, trades meet the other side."""
    now = 0
    history = [("snapshot", 0, [(1, 96, 9), (1, 95, 500), (-1, 106, 9), (-1, 107, 500)])]
    for kind, ms, *rest in steps:
        if kind == "trade":
            aggressor, offset, size = rest
            price = 106 + offset if aggressor > 0 else 96 - offset
            history.append((kind, max(now + ms, 0), aggressor, price, size))
            continue
        now += ms
        levels = {(side, 96 - k if side > 0 else 106 + k): size for side, k, size in rest[0]}
        history.append((kind, now, [(side, price, size) for (side, price), size in levels.items()]))
    return history


@pytest.mark.parametrize("instrument", [INSTRUMENT, LIMITED], ids=["all levels", "limited view"])
@given(steps=st.lists(STEP, max_size=40))
@example(steps=[("snapshot", 1, [(1, 0, 3)]), ("diff", 0, [(1, 1, 3), (-1, 0, 3)]), ("diff", 1, [(-1, 1, 5)])])
def test_the_compiled_ledger_tells_what_the_plain_one_tells(instrument, steps):
    """Event for event, in every column."""
    history = played(steps)
    events = LotTracker(instrument).run(*streams(history))
    told = [tuple(row) for row in events.tolist()]
    # a snapshot forgets absent levels in the order of the hash table
    assert sorted(told) == sorted(oracle(history, instrument is LIMITED))
    order = [row for row in told if row[0] != at.FORGOTTEN]
    assert order == [row for row in oracle(history, instrument is LIMITED) if row[0] != at.FORGOTTEN]


@settings(max_examples=25)
@given(steps=st.lists(STEP, max_size=40), cuts=st.sets(st.integers(1, 40)))
def test_fed_in_parts_it_tells_the_same(steps, cuts):
    """A live stream takes one event at a time, a day all of them."""
    history = played(steps)
    books, trades = streams(history)
    whole = LotTracker(INSTRUMENT).run(books, trades)
    tracker = LotTracker(INSTRUMENT)
    parts = []
    edges = [0, *sorted(cuts), len(history)]
    for first, behind in pairwise(edges):
        part = history[first:behind]
        if part:
            parts.append(tracker.run(*streams(part)))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_lots_of_a_level_and_volume_of_unknown_birth_are_its_size():
    """After many random events, for every level."""
    rng = np.random.default_rng(5)
    history = [("snapshot", 0, BOOK)]
    for k in range(4_000):
        side = int(rng.choice([1, -1]))
        price = int(99 - rng.integers(0, 8)) if side > 0 else int(101 + rng.integers(0, 8))
        history.append(("diff", 50 * (k + 1), [(side, price, int(rng.integers(1, 60)))]))
    tracker = LotTracker(INSTRUMENT)
    tracker.run(*streams(history))
    ledger = tracker.state.ledger
    sizes = {(entry[2][0][0], entry[2][0][1]): entry[2][0][2] for entry in history[1:]}
    for slot in np.flatnonzero(ledger.slots[:, at.KEY]).tolist():
        key, newest, _, total, count = ledger.slots[slot].tolist()
        side = 1 - 2 * (key & 1)
        price = key >> 1
        held = []
        i = newest
        while i >= 0:
            held.append(int(ledger.lots[i, at.SIZE]))
            i = int(ledger.lots[i, at.OLDER])
        assert sum(held) == total <= sizes[side, price]
        assert len(held) == count
    assert isinstance(event_frame(np.zeros((0, len(at.EVENT_COLUMNS)), np.int64)), pl.DataFrame)
