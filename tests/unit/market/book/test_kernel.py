"""The kernel against the slow oracle, on generated streams and on recorded ones."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.market.book import layout
from ml.market.book.sampler import Sampler, one_message
from ml.market.days.tables import samples_frame
from ml.market.decode.events import CLEAR, LOST_TRADES, SNAPSHOT, TIME, BookMessage
from ml.tables.schemas import FROM_TRADES, OFI_LEVELS, SAMPLE_COLUMNS
from tests.oracles.book import SlowSampler
from tests.support.examples import examples

SECOND = 10**9
FLOWS = [
    name for name in SAMPLE_COLUMNS if name.startswith(("added", "cancelled", "traded", "trade_", "n_updates", "ofi"))
]
LEVEL = st.tuples(st.sampled_from([1, -1]), st.integers(95, 106), st.integers(0, 4))
STEP = st.one_of(
    st.tuples(st.just("diff"), st.integers(-SECOND, 3 * SECOND), st.lists(LEVEL, max_size=5)),
    st.tuples(
        st.sampled_from(["trade", "trade", "trade after lost ones"]),
        st.integers(-SECOND, 3 * SECOND),
        st.tuples(st.sampled_from([1, -1]), st.integers(95, 106), st.integers(1, 4)),
    ),
    st.tuples(st.just("snapshot"), st.integers(0, SECOND), st.lists(LEVEL, max_size=14)),
    st.tuples(st.just("break"), st.integers(0, SECOND), st.just([])),
    st.tuples(st.just("time"), st.integers(0, SECOND), st.just([])),
    st.tuples(st.just("lost trades"), st.integers(0, SECOND), st.just([])),
)


def play(steps, base=0):
    """Run the same steps through the kernel and the oracle."""
    sampler = Sampler(room=64)
    slow = SlowSampler(SECOND)
    ts = 1_000 * SECOND
    for arrival, (kind, wait, what) in enumerate(steps):
        ts = max(ts + wait, 990 * SECOND)
        if kind.startswith("trade"):
            side, price, size = what
            lost = kind != "trade"
            one = np.array([ts, arrival, side, price + base, size])
            flags = np.array([LOST_TRADES if lost else 0], np.uint8)
            sampler.run(
                trades=layout.TradeStream(one[:1], one[1:2], flags, one[2:3].astype(np.int8), one[3:4], one[4:5])
            )
            slow.trade(ts, side, price + base, size, lost)
            continue
        levels = [(side, price + base, size) for side, price, size in what]
        flags = {"diff": 0, "snapshot": SNAPSHOT | CLEAR, "break": CLEAR}.get(kind, TIME)
        flags |= LOST_TRADES if kind == "lost trades" else 0
        message = BookMessage(False, ts, 0, 0, 0, 0, *([level[i] for level in levels] for i in range(3)))
        sampler.run(books=one_message(message, flags, arrival))
        slow.message(ts, levels, kind == "snapshot", kind == "break", flags & TIME > 0, kind == "lost trades")
    return sampler, slow


def as_dict(row):
    """A kernel row in the oracle's words."""
    value = dict(zip(SAMPLE_COLUMNS, row.tolist(), strict=True))
    ladder = {
        side: [
            (value[f"{side}_price_{k}"], value[f"{side}_size_{k}"]) for k in range(1, 21) if value[f"{side}_size_{k}"]
        ]
        for side in ("bid", "ask")
    }
    return ladder | {
        "ts": value["ts"],
        "flow": {name: value[name] for name in FLOWS if value[name]},
        "last_trade_price": value["last_trade_price"] or None,
        "book_age": None if value["book_age"] < 0 else value["book_age"],
        "valid": bool(value["valid"]),
        "valid_run": value["valid_run"],
        "trades_run": value["trades_run"],
    }


def agree(sampler, slow):
    assert [as_dict(row) for row in sampler.samples] == [
        row | {"flow": {name: amount for name, amount in row["flow"].items() if amount}} for row in slow.rows
    ]
    assert sampler.released == len(slow.rows) - len(slow.unreleased)
    ended = [(int(s), int(e), k >= layout.TRADES_BREAK) for s, e, k in sampler.spans[:, [0, 1, 4]]]
    assert [(s, e) for s, e, of_trades in ended if not of_trades] == [(s, e) for s, e, _ in slow.intervals]
    assert [(s, e) for s, e, of_trades in ended if of_trades] == slow.trade_intervals


@settings(max_examples=examples(75, 300), deadline=None)
@given(st.lists(STEP, max_size=40))
def test_every_sample_equals_the_slow_book(steps):
    """Any stream of diffs, trades, snapshots and breaks gives the oracle's rows, releases and intervals."""
    agree(*play([("snapshot", 0, [(1, 99, 2), (-1, 101, 2)]), *steps]))


@settings(max_examples=examples(50, 200), deadline=None)
@given(st.lists(STEP, max_size=25), st.sampled_from([0, 2_000, 500_000, 10**9]))
def test_price_level_does_not_matter(steps, base):
    """Far prices, and prices that move by more than the dense window, give the same rows as the oracle."""
    steps = [("snapshot", 0, [(1, 99, 2), (-1, 101, 2)]), *steps, ("snapshot", 0, [(1, 99, 1), (-1, 101, 1)])]
    agree(*play(steps, base))


def test_levels_far_from_the_window_are_kept_exactly():
    """A book wider than the dense window, and a price that walks through it, equal the dictionary."""
    rng = np.random.default_rng(5)
    ladder = [(1, int(p), int(q)) for p, q in zip(rng.integers(1, 10**6, 400), rng.integers(1, 9, 400), strict=True)]
    ladder += [
        (-1, int(p), int(q)) for p, q in zip(rng.integers(10**6, 2 * 10**6, 400), rng.integers(1, 9, 400), strict=True)
    ]
    walk = [
        ("diff", SECOND, [(1, p, 0) for _, p, _ in ladder[:400] if p > edge]) for edge in range(900_000, 0, -90_000)
    ]
    back = [("diff", SECOND, [(1, int(p), 3)]) for p in rng.integers(1, 10**6, 60)]
    agree(*play([("snapshot", 0, ladder), *walk, *back]))


def test_a_full_store_of_far_levels_is_an_overflow(monkeypatch):
    """More far levels than there is room for makes the book unknown, not wrong."""
    ladder = [(1, 10**7 + 2 * k, 1) for k in range(40_000)] + [(-1, 10**9, 1)]
    sampler, _ = play([("snapshot", 0, ladder), ("diff", SECOND, [])])
    assert sampler.spans[-1, 4] == layout.OVERFLOW_BREAK


def test_a_row_is_not_released_before_a_book_message_confirms_it():
    """Trades close samples, but only the chain's next message shows that nothing was missing."""
    steps = [
        ("snapshot", 0, [(1, 99, 2), (-1, 101, 2)]),
        ("diff", SECOND, [(1, 99, 3)]),
        ("trade", SECOND, (1, 101, 1)),
    ]
    sampler, _ = play(steps)
    assert (len(sampler.samples), sampler.released) == (2, 1)
    sampler, _ = play([*steps, ("break", 0, [])])
    assert sampler.samples[1, SAMPLE_COLUMNS.index("valid")] == 0
    assert sampler.samples[0, SAMPLE_COLUMNS.index("valid")] == 1


BOTH = [("snapshot", 0, [(1, 99, 2), (-1, 101, 2)])]


@pytest.mark.parametrize(("silence", "known"), [(1_700, True), (1_800, True), (1_803, False)])
def test_a_captured_stream_may_be_quiet_for_half_an_hour(silence, known):
    """A market in which nobody trades stays known; after half an hour nobody can say whether the stream still lives."""
    steps = [*BOTH, ("trade", 0, (1, 101, 1)), ("time", silence * SECOND, []), ("trade", 0, (1, 101, 1))]
    sampler, slow = play([*steps, ("time", 2 * SECOND, [])])
    agree(sampler, slow)
    assert (sampler.samples[silence - 1, layout.TRADES_RUN] > 0) == known
    assert (sampler.spans[:, 4] == layout.TRADES_SILENT).any() != known


def test_trades_are_known_from_the_first_one_until_some_may_be_missing():
    """Seconds before the first trade, and from lost ones to the next one, have no flows of trades; the book goes on."""
    steps = [*BOTH, ("diff", 2 * SECOND, [(1, 99, 1)]), ("trade", 0, (1, 101, 1)), ("diff", 3 * SECOND, [(1, 99, 3)])]
    steps += [("lost trades", 0, []), ("diff", 2 * SECOND, [(1, 99, 1)]), ("trade", 0, (1, 101, 1))]
    sampler, slow = play([*steps, ("diff", 3 * SECOND, [])])
    agree(sampler, slow)
    assert sampler.samples[:, layout.TRADES_RUN].tolist() == [0, 0, 1, 2, 3, 0, 0, 1, 2, 3]
    assert sampler.samples[:, layout.RUN].tolist() == list(range(1, 11))
    unknown = samples_frame(sampler.samples).filter(pl.col("trades_run") == 0)
    assert unknown.select(pl.col(FROM_TRADES).is_null().all()).row(0) == (True,) * len(FROM_TRADES)
    assert unknown["added_bid_touch"].null_count() == 0


@pytest.mark.parametrize("room", [1, 7, 64])
def test_room_changes_nothing(room):
    """A buffer that must grow, and a stream that forgets its oldest samples, give the same rows."""
    steps = [("snapshot", 0, [(1, 99, 2), (-1, 101, 2)]), *[("diff", SECOND, [(1, 98, k % 4)]) for k in range(60)]]
    whole, _ = play(steps)
    sampler = Sampler(room=room)
    for arrival, (kind, _, levels) in enumerate(steps):
        message = BookMessage(
            False, (1_000 + arrival) * SECOND, 0, 0, 0, 0, *([level[i] for level in levels] for i in range(3))
        )
        sampler.run(books=one_message(message, SNAPSHOT | CLEAR if kind == "snapshot" else 0, arrival))
    np.testing.assert_array_equal(sampler.samples, whole.samples)


def test_imbalance_has_a_column_per_level():
    """The number of order-flow levels in the table is the kernel's."""
    assert sum(name.startswith("ofi_") for name in SAMPLE_COLUMNS) == OFI_LEVELS


LADDER = [(1, 99 - k, 5) for k in range(12)] + [(-1, 101 + k, 5) for k in range(12)]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([("diff", 0, [(1, 90, 7)])], id="tenth bid"),
        pytest.param([("diff", 0, [(-1, 110, 0)])], id="tenth ask"),
        pytest.param([("diff", 0, [(1, 98, 9)]), ("diff", 0, [(-1, 102, 1), (-1, 103, 1)])], id="edge of a band"),
        pytest.param([("trade", 0, (1, 101, 2)), ("diff", 0, [(-1, 101, 3)])], id="explained at once"),
        pytest.param(
            [("trade", 0, (1, 101, 2)), ("diff", 0, []), ("diff", 0, [(-1, 101, 3)])], id="explained by the next"
        ),
        pytest.param(
            [("trade", 0, (1, 101, 2)), ("diff", 0, []), ("diff", 0, []), ("diff", 0, [(-1, 101, 3)])],
            id="explained too late",
        ),
        pytest.param(
            [("trade", 0, (-1, 99, 9)), ("diff", 0, [(1, 99, 0), (1, 98, 1)])], id="print larger than the level"
        ),
    ],
)
def test_flows_at_the_edges_of_their_definitions(steps):
    """The tenth level, a price exactly on a band's edge, and the two messages within which a trade explains."""
    agree(*play([("snapshot", 0, LADDER), *steps, ("time", SECOND, [])], base=1_900))
