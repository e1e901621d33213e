"""Flows: what is added, cancelled and traded accounts for every lot by which the book changed."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.time import SECOND
from ml.market.book import layout
from ml.market.book.layout import TradeStream
from ml.market.book.sampler import Sampler, one_message
from ml.market.days.tables import samples_frame
from ml.market.decode.events import BUY, CLEAR, SELL, SNAPSHOT, BookMessage
from ml.tables.schemas import BANDS, LEVELS
from tests.support.examples import examples

MID = 100_000
BOOK = [
    (1, MID - 1, 9),
    (-1, MID + 1, 9),
    *((1, MID - 90 - k, 1) for k in range(18)),
    *((-1, MID + 90 + k, 1) for k in range(18)),
]
"""Both touches stay; every price in use lies within 20 bps of the mid."""
CHANGE = st.tuples(st.sampled_from([1, -1]), st.integers(2, 80), st.integers(0, 9))
STEP = st.one_of(
    st.lists(CHANGE, max_size=4), st.tuples(st.sampled_from([BUY, SELL]), st.integers(2, 80), st.integers(1, 9))
)


def one_trade(ts, arrival, side, price, size):
    columns = (np.array([value]) for value in (ts, arrival, side, price, size))
    ts, arrival, side, price, size = columns
    return TradeStream(ts, arrival, np.zeros(1, np.uint8), side.astype(np.int8), price, size)


def rows_of(sampler):
    """The samples since the book is there, as a table."""
    return samples_frame(sampler.samples).filter(pl.col("ts") > SECOND * 1_000)


def play(steps, wait=0):
    """The samples of steps from the book on: lists are diffs (side, distance from the mid, size), tuples trades."""
    sampler = Sampler(room=64)
    sampler.run(trades=one_trade(SECOND * 1_000 - 2 * SECOND, -1, BUY, MID, 1))  # from here on trades are known
    for arrival, step in enumerate([BOOK, *steps, []]):
        ts = SECOND * 1_000 + arrival * wait + (2 * SECOND if arrival > len(steps) else 0)
        if isinstance(step, tuple):
            side, distance, size = step
            sampler.run(trades=one_trade(ts, arrival, side, MID + side * distance, size))
            continue
        levels = [(s, MID - s * p, q) for s, p, q in step] if arrival else step
        message = BookMessage(False, ts, 0, 0, 0, 0, *([level[i] for level in levels] for i in range(3)))
        sampler.run(books=one_message(message, 0 if arrival else SNAPSHOT | CLEAR, arrival))
    return sampler


def resting(state, side):
    from ml.market.book.ladder import levels

    return int(levels(state.book, 0 if side == "bid" else 1)[1].sum())


def total(row, flow, side):
    return sum(row[f"{flow}_{side}_{band}"] for band in BANDS)


@settings(max_examples=examples(30, 100), deadline=None)
@given(st.lists(st.lists(CHANGE, max_size=4), max_size=12))
def test_without_trades_the_book_changes_by_what_was_added_less_what_was_cancelled(steps):
    """Lot for lot, on each side."""
    sampler = play(steps)
    row = rows_of(sampler).row(0, named=True)
    for side in ("bid", "ask"):
        change = resting(sampler.state, side) - resting(play([]).state, side)
        assert total(row, "added", side) - total(row, "cancelled", side) == change
    assert row["n_updates"] == sum(len(step) for step in steps)


@settings(max_examples=examples(30, 100), deadline=None)
@given(st.lists(STEP, max_size=12))
def test_a_decrease_is_cancelled_or_explained_by_a_print_never_both_never_neither(steps):
    """What is missing from the account of the book was traded, and no more than was traded."""
    sampler = play(steps)
    row = rows_of(sampler).row(0, named=True)
    for side in ("bid", "ask"):
        change = resting(sampler.state, side) - resting(play([]).state, side)
        explained = total(row, "added", side) - total(row, "cancelled", side) - change
        assert 0 <= explained <= total(row, "traded", side)


@given(st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(2, 80), st.integers(1, 9)), max_size=8))
@settings(max_examples=50, deadline=None)
def test_trades_are_summed_by_aggressor(trade_rows):
    """Count, volume and notional, the side of the book that each of them took from, extremes and distance paid."""
    row = rows_of(play(trade_rows)).row(0, named=True)
    prices = [MID + s * distance for s, distance, _ in trade_rows]
    sizes = [size for *_, size in trade_rows]
    assert (row["trade_price_high"], row["trade_price_low"]) == (max(prices, default=None), min(prices, default=None))
    assert row["trade_largest"] == max(sizes, default=0)
    paid = [2 * abs(price - MID) * size for price, size in zip(prices, sizes, strict=True)]
    assert row["trade_spread_notional"] == sum(paid)
    for side, name, book in ((BUY, "buy", "ask"), (SELL, "sell", "bid")):
        mine = [(MID + s * distance, size) for s, distance, size in trade_rows if s == side]
        assert row[f"trade_count_{name}"] == len(mine)
        assert row[f"trade_volume_{name}"] == sum(size for _, size in mine) == total(row, "traded", book)
        assert row[f"trade_notional_{name}"] == sum(price * size for price, size in mine)


def test_flows_restart_with_each_sample():
    """A sum belongs to one second alone."""
    rows = rows_of(play([[(1, 5, 3)], [(1, 5, 4)], [(1, 5, 9)]], wait=SECOND))
    assert [total(row, "added", "bid") for row in rows.head(4).iter_rows(named=True)] == [0, 3, 1, 5]


def test_imbalance_at_the_touch_by_hand():
    """A better bid gives its whole size, a bid that is gone takes its whole size, a growing ask counts against."""
    better = rows_of(play([[(1, -0, 4)]]))["ofi_1"][0]
    assert better == 4
    grown = rows_of(play([[(-1, 1, 12)]]))["ofi_1"][0]
    assert grown == -3
    gone = rows_of(play([[(1, 1, 0)]]))["ofi_1"][0]
    assert gone == -9


def test_the_deepest_level_of_the_sample_is_the_books():
    """The ladder of the table goes deeper than that of the imbalance."""
    samples = play([]).samples
    assert samples[-1, layout.BID_PRICE + LEVELS - 2] == MID - 107
    assert samples[-1, layout.BID_PRICE + LEVELS - 1] == 0
