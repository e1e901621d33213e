"""Backtests of decisions whose result can be written down, and what fees and latency may and may not do."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.time import MS, SECOND
from ml.evaluation import backtest
from ml.evaluation.backtest import Decisions
from ml.evaluation.backtest_report import Execution, Outcome
from ml.evaluation.books import Resting, books_at, level_changes
from tests.support import tape

START = 10**18
FREE = Execution(entry=0, response=0, taker_fee=0.0, maker_fee=0.0)
DOWN, NEUTRAL, UP = 0, 1, 2


def ladder(mids, size=1_000, every=SECOND, half=1, levels=3):
    """A book that moves as a whole: bids and asks of equal size around each mid, from START on."""
    messages = []
    before = []
    for k, mid in enumerate(mids):
        rows = [(side, price, 0) for side, price in before]
        now = [(s, mid - s * (half + n)) for s in (1, -1) for n in range(levels)]
        rows += [(side, price, size) for side, price in now]
        # a level that stays is set last
        messages.append((START + k * every, rows))
        before = now
    return messages


def decisions(sides, every=20, hold=10, first=1):
    """One each 20 s, held 10 s, just after the book of that second."""
    ts = START + (first + every * np.arange(len(sides))) * SECOND + 1
    return Decisions(ts, np.array(sides, np.int8), ts + hold * SECOND)


def taken(messages, chosen, how, share=None):
    """As takers, on a book that is known throughout."""
    stream = tape.streams(messages, [])[0]
    seen, entry, leave = (books_at([stream], t) for t in (chosen.ts, chosen.ts + how.entry, chosen.leave + how.entry))
    sizes = backtest.order_sizes(chosen, seen, 1) if share is None else share
    return backtest.take(chosen, sizes, np.ones(len(chosen.ts), bool), (entry, leave), how)


def test_a_perfect_forecast_on_a_made_up_book_earns_what_the_formula_says():
    """The mid alternates by 50; each round trip earns size x (50 - 2 half spreads) less the fee of both notionals."""
    mids = [1_000 + 50 * ((k // 10) % 2) for k in range(200)]
    chosen = decisions([1, -1] * 4, every=20, hold=10, first=5)
    # at 5 s the mid is 1 000, ten seconds later 1 050: up is right; at 25 s too, so the down calls are wrong
    how = replace(FREE, taker_fee=0.001)
    found = taken(ladder(mids), chosen, how).trades
    size = 100  # a tenth of the best level
    long = size * (1_049 - 1_001) - 0.001 * size * (1_049 + 1_001)
    short = size * (999 - 1_051) - 0.001 * size * (999 + 1_051)
    assert found["size"].to_list() == [size] * 8
    assert found["net"].to_list() == pytest.approx([long, short] * 4)
    exact = taken(ladder(mids), chosen, FREE).trades["net"].to_list()
    assert exact == [size * 48.0, -size * 52.0] * 4


def test_a_larger_order_walks_the_levels():
    """2 500 units of three levels of 1 000: 1 000 each at the first two, 500 at the third, both ways."""
    found = taken(ladder([1_000] * 60), decisions([1]), FREE, np.array([2_500]))
    entry = 1_000 * 1_001 + 1_000 * 1_002 + 500 * 1_003
    left = 1_000 * 999 + 1_000 * 998 + 500 * 997
    assert found.trades["entry_worth"].to_list() == [entry]
    assert found.trades["net"].to_list() == [left - entry]
    assert found.fills.filter(pl.col("side") == 1)["size"].to_list() == [1_000, 1_000, 500]


@given(st.integers(0, 300), st.lists(st.sampled_from([1, -1]), min_size=1, max_size=6), st.integers(0, 400))
def test_without_fee_and_latency_the_result_is_the_sum_over_fills(seed, sides, size):
    """Sold less bought, fill by fill; and with a fee the fee of each."""
    messages, _ = tape.market(seed, 200)
    chosen = decisions(sides, every=3, hold=1)
    for how in (FREE, replace(FREE, taker_fee=0.002)):
        found = taken(messages, chosen, how, np.full(len(sides), size))
        cash = fee = 0.0
        for _, _, side, price, filled, *_ in found.fills.iter_rows():
            cash -= side * price * filled
            fee += how.taker_fee * price * filled
        assert found.trades["net"].sum() == pytest.approx(cash - fee)
        position = found.fills.select((pl.col("side") * pl.col("size")).sum()).item()
        assert position == 0
        if size == 0:
            assert found.trades["outcome"].unique().to_list() == [Outcome.TOO_SMALL]


@given(st.integers(0, 300), st.floats(0, 0.01), st.floats(0, 0.01))
def test_a_higher_fee_never_earns_more(seed, one, other):
    """On any book, trade by trade."""
    messages, _ = tape.market(seed, 200)
    low, high = sorted((one, other))
    chosen = decisions([1, -1, 1], every=3, hold=1)
    cheap, dear = (taken(messages, chosen, replace(FREE, taker_fee=fee)).trades["net"] for fee in (low, high))
    assert (cheap >= dear).all()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=40, max_size=40),
    st.sampled_from([1, -1]),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_a_longer_latency_never_earns_more_where_prices_only_run_away(steps, side, one, other):
    """After the decision to enter the price moves on in the direction predicted, after that to leave it moves back.

    Only then is it a law: on a price that moves as it likes a late order may be lucky.
    """
    mids = [1_000]
    for k, (away, back) in enumerate(steps):
        mids.append(mids[-1] + side * (away if k < 20 else -back))
    messages = ladder(mids, every=50 * MS)
    ts = np.array([START + 1])
    chosen = Decisions(ts, np.array([side], np.int8), np.array([START + 20 * 50 * MS + 1]))
    quick, slow = sorted((one, other))
    nets = [taken(messages, chosen, replace(FREE, entry=ms * MS)).trades["net"] for ms in (quick, slow)]
    assert (nets[0] >= nets[1]).all()


def test_a_late_order_may_be_lucky():
    """Why the law above needs its condition: the price comes back before the order arrives."""
    messages = ladder([1_000, 990, 1_000], every=100 * MS)
    chosen = Decisions(np.array([START + 1]), np.array([1], np.int8), np.array([START + 10 * SECOND]))
    nets = [taken(messages, chosen, replace(FREE, entry=ms * MS)).trades["net"][0] for ms in (0, 150)]
    assert nets[1] > nets[0]


def test_a_gap_is_no_trade():
    """The book was not known all the while: the decision is counted, its result is unknown, and nothing is booked."""
    chosen = decisions([1, 1, 1])
    stream = tape.streams(ladder([1_000] * 80), [])[0]
    validity = pl.DataFrame({"start_ts": [START, START + 28 * SECOND], "end_ts": [START + 26 * SECOND, START + 10**15]})
    known = backtest.known_throughout(chosen, chosen.leave, validity)
    assert known.tolist() == [True, False, True]
    books = books_at([stream], chosen.ts), books_at([stream], chosen.leave)
    found = backtest.take(chosen, np.full(3, 10), known, books, FREE)
    assert found.trades["outcome"].to_list() == [Outcome.DONE, Outcome.UNKNOWN_BOOK, Outcome.DONE]
    assert found.trades["net"].to_list() == [-20, None, -20]
    assert found.fills["trade"].unique().sort().to_list() == [0, 2]
    assert not backtest.known_throughout(chosen, chosen.leave, validity.clear()).any()


def test_what_cannot_be_left_is_no_result():
    """The book holds less at the exit than was bought: what the rest would have fetched is unknown."""
    thin = [*ladder([1_000] * 5), *[(ts, rows) for ts, rows in ladder([1_000] * 40, size=10)][5:]]
    found = taken(thin, decisions([1], first=2), FREE, np.array([500]))
    assert found.trades["outcome"].to_list() == [Outcome.BEYOND_BOOK]
    assert found.fills.height == 0


@given(st.integers(0, 1_000), st.sampled_from([1, 5, 10]), st.integers(0, 999))
def test_one_position_at_a_time(seed, horizon, latency_ms):
    """No decision falls while a position is open or an order may be under way; every other one is taken."""
    rng = np.random.default_rng(seed)
    ts = START + np.cumsum(rng.integers(1, 4, 100)) * SECOND
    predicted = rng.integers(0, 3, 100).astype(np.int8)
    found = backtest.decide(ts, predicted, horizon * SECOND, latency_ms * MS)
    expected = []
    free = 0
    for t, answer in zip(ts.tolist(), predicted.tolist(), strict=True):
        if answer != NEUTRAL and t >= free:
            expected.append((t, 1 if answer == UP else -1))
            free = t + horizon * SECOND + latency_ms * MS
    assert list(zip(found.ts.tolist(), found.side.tolist(), strict=True)) == expected
    assert (found.leave - found.ts == horizon * SECOND).all()


def test_an_order_must_be_quicker_than_the_horizon():
    """Else a position would be left before it is entered."""
    with pytest.raises(ValueError, match="Shorten the latency"):
        backtest.decide(np.array([START]), np.array([UP]), SECOND, SECOND)
    assert len(backtest.decide(np.array([START]), np.array([NEUTRAL]), SECOND, 0).ts) == 0


def test_orders_are_a_tenth_of_the_best_level_in_whole_lots():
    """Of the side that they take from; below a lot there is none."""
    messages = [(START, [(1, 999, 255), (-1, 1_001, 39)])]
    chosen = Decisions(np.full(2, START + 5), np.array([1, -1], np.int8), np.full(2, START + 50))
    seen = books_at([tape.streams(messages, [])[0]], chosen.ts)
    assert backtest.order_sizes(chosen, seen, 1).tolist() == [3, 25]
    assert backtest.order_sizes(chosen, seen, 10).tolist() == [0, 20]


def made(messages, trades, chosen, how, kinder=False):
    """As makers that leave as takers."""
    stream, tradestream = tape.streams(messages, trades)
    seen, entry, leave = (books_at([stream], t) for t in (chosen.ts, chosen.ts + how.entry, chosen.leave + how.entry))
    orders = Resting(chosen.side, backtest.resting_price(chosen, seen), *backtest.resting_times(chosen, how))
    changes = level_changes([stream], orders) if kinder else None
    sizes = np.full(len(chosen.ts), 30)
    return backtest.make(chosen, sizes, np.ones(len(chosen.ts), bool), (seen, entry, leave), tradestream, how, changes)


def test_a_maker_buys_at_the_bid_and_sells_at_the_bid():
    """1 000 wait ahead; a trade of 1 020 leaves 20 of the 30 for us, the cancel takes back the rest."""
    trades = [(START + 3 * SECOND, -1, 999, 1_020), (START + 9 * SECOND, -1, 999, 500)]
    how = replace(FREE, maker_fee=0.001, taker_fee=0.002, patience=5 * SECOND)
    found = made(ladder([1_000] * 40), trades, decisions([1]), how)
    assert found.trades["size"].to_list() == [20]
    assert found.trades["net"].to_list() == pytest.approx([-0.003 * 20 * 999])
    assert found.fills["maker"].to_list() == [True, False]
    assert found.fills["ts"][0] == START + 3 * SECOND


def test_a_maker_that_nobody_meets_has_no_trade():
    """Trades of the other aggressor, at another price, or none."""
    trades = [(START + 3 * SECOND, 1, 1_001, 5_000), (START + 4 * SECOND, -1, 999, 1_000)]
    found = made(ladder([1_000] * 40), trades, decisions([1]), FREE)
    assert found.trades["outcome"].to_list() == [Outcome.NOT_FILLED]
    assert made(ladder([1_000] * 40), [], decisions([1]), FREE).trades["net"].to_list() == [None]


def test_a_maker_whose_price_would_take_is_refused():
    """The market fell while the order was under way: at its price it would have taken."""
    messages = ladder([1_000, 1_000, 990, 990, 990] + [990] * 20)
    found = made(messages, [], decisions([1]), replace(FREE, entry=1_500 * MS))
    assert found.trades["outcome"].to_list() == [Outcome.NOT_FILLED]


@given(st.integers(0, 300), st.integers(0, 3_000))
def test_the_kinder_queue_never_fills_less(seed, latency_ms):
    """Both bounds of what a maker gets."""
    messages, trades = tape.market(seed, 300)
    chosen = decisions([1, -1, 1], every=8, hold=6)
    how = replace(FREE, entry=latency_ms * MS)
    strict, kind = (made(messages, trades, chosen, how, kinder).trades["size"].fill_null(0) for kinder in (False, True))
    done = made(messages, trades, chosen, how, True).trades["outcome"] != Outcome.BEYOND_BOOK
    assert (strict <= kind).filter(done).all()


def test_equity_is_cash_and_position_at_the_mid():
    """A round trip second by second; unknown while the position cannot be marked, known without one."""
    fills = pl.DataFrame(
        [(0, START + 2 * SECOND, 1, 100, 5, False, 500.0), (0, START + 4 * SECOND, -1, 110, 5, False, 550.0)],
        schema=backtest.FILLS,
        orient="row",
    )
    mids = [None, 99.0, 100.0, None, 105.0, None, 200.0]
    marks = pl.DataFrame({"ts": START + np.arange(7) * SECOND, "mid": pl.Series(mids, dtype=pl.Float64())})
    found = backtest.equity(fills, marks, 1_000.0, replace(FREE, taker_fee=0.01))
    bought, sold = 5.0, 5.0 + 5.5
    expected = [1_000, 1_000, 1_000 - bought, None, 1_050 - sold, 1_050 - sold, 1_050 - sold]
    assert found["equity"].to_list() == pytest.approx([None if e is None else e / 1_000 for e in expected])


@given(st.integers(0, 200), st.floats(0, 0.01))
def test_at_the_break_even_fee_nothing_is_earned(seed, fee):
    """All round trips together; trade by trade the net of another fee is that of a backtest with it."""
    messages, _ = tape.market(seed, 200)
    chosen = decisions([1, -1, 1, 1], every=4, hold=2)
    found = taken(messages, chosen, FREE).trades
    level = backtest.break_even_fee(found)
    if level is None:
        assert found["outcome"].is_in([Outcome.DONE]).sum() == 0
        return
    again = taken(messages, chosen, replace(FREE, taker_fee=level)).trades
    assert (again["net"] / again["entry_worth"]).sum() == pytest.approx(0, abs=1e-6)
    dear = taken(messages, chosen, replace(FREE, taker_fee=fee)).trades.filter(pl.col("outcome") == Outcome.DONE)
    expected = (dear["net"] / dear["entry_worth"]).to_list()
    assert backtest.recharged(found, fee)["net"].to_list() == pytest.approx(expected)


@given(st.sampled_from([1, -1]), st.integers(500, 2_000), st.floats(0, 0.01))
def test_an_inverse_contract_earns_the_change_of_what_it_is_worth_in_the_base_currency(side, later, fee):
    """Size x (1 / entry - 1 / exit) for a long position, less the fee of both; equity says the same at its end."""
    size, half, away = 600, 1, 4
    how = replace(FREE, taker_fee=fee)
    mids = [1_000] * 5 + [later] * 30
    stream = tape.streams(ladder(mids), [])[0]
    chosen = decisions([side])
    books = books_at([stream], chosen.ts), books_at([stream], chosen.leave)
    found = backtest.take(chosen, np.array([size]), np.ones(1, bool), books, how, backtest.inverse)
    entry, left = 1_000 + side * half, later - side * half
    expected = side * size * (1 / entry - 1 / left) - fee * size * (1 / entry + 1 / left)
    assert found.trades["net"].to_list() == pytest.approx([expected], rel=1e-9, abs=1e-12)
    capital = backtest.capital_of(found.trades)
    assert capital == pytest.approx(size / entry)
    mid = 1_000.0 + away
    times = START + np.array([0, 3, 40]) * SECOND
    marks = pl.DataFrame({"ts": times, "mid": pl.Series([None, mid, None], dtype=pl.Float64())})
    held = side * size * (1 / entry - 1 / mid) - fee * size / entry
    curve = backtest.equity(found.fills, marks, capital, how, backtest.inverse)["equity"].to_list()
    assert curve == pytest.approx([1, 1 + held / capital, 1 + expected / capital])


def test_round_trips_of_several_currencies_count_the_same():
    """The break-even fee of a linear and of an inverse instrument together is that of the mean round trip."""
    mids = [1_000] * 5 + [1_040] * 30
    stream = tape.streams(ladder(mids), [])[0]
    chosen = decisions([1])
    books = books_at([stream], chosen.ts), books_at([stream], chosen.leave)
    both = pl.concat(
        backtest.take(chosen, np.array([600]), np.ones(1, bool), books, FREE, worth).trades
        for worth in (backtest.linear, backtest.inverse)
    )
    fee = backtest.break_even_fee(both)
    assert backtest.recharged(both, fee)["net"].sum() == pytest.approx(0, abs=1e-12)
    assert 0.015 < fee < 0.02


def test_without_trades_there_is_nothing_to_mark():
    """No capital, no break-even fee; equity stays 1."""
    none = taken(ladder([1_000] * 40), decisions([1]), FREE, np.array([0])).trades
    assert backtest.capital_of(none) is None
    assert backtest.break_even_fee(none) is None
    marks = pl.DataFrame({"ts": [START], "mid": [5.0]})
    assert backtest.equity(pl.DataFrame(schema=backtest.FILLS), marks, 1.0, FREE)["equity"].to_list() == [1.0]
