"""Spoofing pressure: the plain oracle's numbers, the same for a stored day and a live stream, null with a reason."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.evaluation import pressure_parity
from ml.evaluation.canaries import pressure as leaks
from ml.features.pressure.rows import REASON, Pressure, build, null_counts
from ml.features.pressure.table import NAMES
from ml.market.book.layout import COLUMNS, BookStream
from ml.market.book.sampler import NO_BOOKS
from ml.market.days.day import Decoding
from ml.market.days.raw import raw_day
from ml.market.days.samples import sample_captures
from ml.market.days.tables import samples_array
from ml.market.decode.events import SNAPSHOT
from ml.tables.schemas import NullReason
from tests.oracles import pressure as oracle
from tests.support.layered import ASK, BID, INSTRUMENT, START, TOUCH, Script, frames, write
from tests.support.scenario import chain_of

MS = 10**6
SECONDS = 125
BEFORE_MIDNIGHT = START - 10 * 10**9


def market(start=START):
    """Large orders on both sides: pulled together, moved, old, filled, traded away late, too far, too small."""
    script = Script(SECONDS, start=start)
    for k in range(4):
        script.order(1, BID - 5 - k, 150 + k, 95_000 + 100 * k, 104_000 + 50 * k)
        script.order(-1, ASK + 4 + k, 90 + 30 * k, 97_000, 106_000 + 2_000 * k)
    script.order(1, BID - 9, 300, 1_000, 108_000)  # too old to count
    script.order(1, BID - 10, 40, 100_000, 103_000)  # too small
    script.order(-1, ASK + 25, 500, 100_000, 103_000)  # too far
    script.order(-1, ASK + 8, 240, 100_000, 108_000)
    script.order(-1, ASK + 9, 240, 108_050, 112_000)  # the same order, moved
    script.level(98_000, -1, ASK, TOUCH + 120)
    script.trade(101_010, 1, ASK, 90)
    script.level(101_050, -1, ASK, TOUCH + 30)
    script.order(1, BID - 4, 220, 99_000, 110_000)
    script.trades.append((110_000, -1, BID - 4, 70))
    script.trade(1_000, 1, ASK, 1)
    return script


def rows_of(books, trades):
    return list(Pressure(INSTRUMENT).take(books, trades))


def plain(books, trades):
    """The rows of the oracle."""
    found = oracle.Pressure()
    j = start = 0
    for k, end in enumerate(books.end.tolist()):
        while j < len(trades.ts) and trades.arrival[j] <= books.arrival[k]:
            found.feed("trade", *(int(trades[c][j]) for c in (0, 3, 4, 5)))
            j += 1
        levels = [tuple(int(column[r]) for column in books[4:]) for r in range(start, end)]
        found.feed("snapshot" if books.flags[k] & SNAPSHOT else "diff", int(books.ts[k]), levels)
        start = end
    return found.rows


def late(streams):
    """The streams, with the trade on the bids after the message of its time."""
    books, trades = streams
    arrival = trades.arrival.copy()
    arrival[trades.side < 0] += 2
    order = np.argsort(arrival, kind="stable")
    return books, trades._replace(arrival=arrival).part(order)


@pytest.mark.parametrize("of", [Script.streams, lambda script: late(script.streams())], ids=["in time", "late"])
def test_the_numbers_are_the_plain_ones(of):
    """Every row of a market with all that counts and does not; what is not known yet is null."""
    books, trades = of(market())
    found = rows_of(books, trades)
    should = plain(books, trades)
    assert [ts for ts, _, _ in found] == [ts for ts, _ in should]
    assert [code for _, _, code in found] == [0 if values else NullReason.WARM_UP for _, values in should]
    known = np.array([values for _, values, code in found if code == 0])
    np.testing.assert_allclose(known, [values for _, values in should if values], rtol=1e-9, atol=1e-15)
    assert (known.max(axis=0) > 0).all()


def part(books, messages):
    first = int(books.end[messages.start - 1]) if messages.start else 0
    last = int(books.end[messages.stop - 1])
    head = [column[messages] for column in books[:3]]
    return BookStream(*head, books.end[messages] - first, *(column[first:last] for column in books[4:]))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 20 * SECONDS - 2), max_size=20, unique=True).map(sorted))
def test_it_does_not_matter_how_the_events_are_fed(cuts):
    """All at once, or in any pieces: the same bits."""
    books, trades = market().streams()
    pressure = Pressure(INSTRUMENT)
    found = []
    last = 0
    for cut in [*cuts, len(books.ts)]:
        mine = (trades.arrival > (books.arrival[last - 1] if last else -1)) & (trades.arrival <= books.arrival[cut - 1])
        found += pressure.take(part(books, slice(last, cut)), trades.part(np.flatnonzero(mine)))
        last = cut
    found += pressure.take(NO_BOOKS, trades.part(slice(len(trades.ts), None)))
    same(found, rows_of(books, trades))


def same(one, other):
    assert [row[::2] for row in one] == [row[::2] for row in other]
    np.testing.assert_array_equal(np.array([row[1] for row in one]), np.array([row[1] for row in other]))


@pytest.mark.parametrize("start", [START, BEFORE_MIDNIGHT], ids=["within a day", "across midnight"])
def test_a_stored_day_is_what_live_gives(tmp_path, start):
    """From the stored tables, S from the samples before the day, and frame by frame: all rows, every bit."""
    day = Day(write(tmp_path / "sim__simusdt.jsonl", frames(market(start))))
    rows = day.rows()
    assert rows.height >= SECONDS - 11
    report = day.replayed(rows)
    assert (report.rows, report.mismatches, report.first) == (rows.height, 0, "")
    assert report.rows_with_values >= 20
    late = day.rows().with_columns(msci_bid=pl.col("msci_bid") * (1 + 1e-15))
    assert day.replayed(late).mismatches > 0
    assert null_counts(rows).keys() <= {"warm_up", "invalid_book", "no_trades_captured"}


class Day:
    """The tables of 2025-03-03 that one capture gives."""

    def __init__(self, path):
        self.chain = chain_of(path)
        self.date = "2025-03-03"
        self.raw = list(raw_day(self.chain, INSTRUMENT, self.date))
        decoding = Decoding(self.raw, INSTRUMENT, self.date)
        self.events = list(decoding.book_events())
        self.trades = decoding.trades
        made = sample_captures(self.chain, INSTRUMENT, self.date)
        self.samples, self.before = samples_array(made.samples), made.tail

    def rows(self):
        return build(self.events, self.trades, self.before, self.samples, INSTRUMENT, self.date)

    def replayed(self, rows):
        return pressure_parity.replay(self.raw, self.events[0], self.before, rows, INSTRUMENT, self.date)


def test_what_is_not_known_is_null_with_its_reason(tmp_path):
    """A minute and a half after the start; all of a capture without trades; all of an invalid sample."""
    day = Day(write(tmp_path / "sim__simusdt.jsonl", frames(market())))
    rows = day.rows()
    whole = rows.filter(pl.col(REASON) == 0)
    assert whole["ts"].min() == START + 92 * 10**9  # the first trade came in the second second
    assert whole.null_count().sum_horizontal().item() == 0
    assert rows.filter(pl.col(REASON) > 0).select(pl.all_horizontal(pl.col(NAMES).is_null()).all()).item()
    (tmp_path / "b").mkdir()
    silent = Day(write(tmp_path / "b" / "sim__simusdt.jsonl", frames(market(), trades=False)))
    assert null_counts(silent.rows()).keys() == {"warm_up", "no_trades_captured"}
    assert silent.rows()["msci_ask"].null_count() == silent.rows().height


def test_a_row_that_looks_ahead_is_found(tmp_path, monkeypatch):
    """The canaries pass on the rows as they are, and fail on rows that are those of ten seconds later."""
    day = Day(write(tmp_path / "sim__simusdt.jsonl", frames(market())))
    monkeypatch.setattr(leaks, "cut_of", lambda events: int(0.85 * events.height))
    given = (day.events, day.trades, day.before, day.samples)
    rows = day.rows()
    assert all(canary.passed for canary in leaks.run(*given, rows, INSTRUMENT, day.date))
    shifted = rows.with_columns(pl.col(*NAMES, REASON).shift(-10))
    found = {canary.name: canary for canary in leaks.run(*given, shifted, INSTRUMENT, day.date)}
    assert not found["future_scramble"].passed


def test_an_empty_day_gives_an_empty_table():
    """No sample, no row."""
    events = pl.DataFrame(schema=dict.fromkeys(("arrival", "event_ts", "side", "price", "size", "flags"), pl.Int64))
    trades = pl.DataFrame(schema=dict.fromkeys(("arrival", "event_ts", "flags", "side", "price", "size"), pl.Int64))
    nothing = np.zeros((0, COLUMNS), np.int64)
    rows = build([events], trades, nothing, nothing, INSTRUMENT, "2025-03-03")
    assert rows.is_empty()
    assert all(
        canary.passed for canary in leaks.run([events], trades, nothing, nothing, rows, INSTRUMENT, "2025-03-03")
    )
