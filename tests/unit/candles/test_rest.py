"""Bringing a day of a venue's candles up to date: what is asked, what is stored, what is asked never again."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.candles.rest import GRACE, PAGE, SETTLED, fetch, grid, missing, read_day, update
from ml.core.errors import CaptureError, VenueRefused
from ml.core.instruments import Instrument
from ml.core.time import MINUTE
from ml.storage.commit import manifest, read
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.support.kline_server import row

DATE = "2025-03-04"
FIRST = 1_741_046_400_000
"""Opening time of the day's first candle, ms."""
START = FIRST * 10**6
LATER = START + 100 * 24 * 60 * MINUTE
USDM = Instrument("binance-usdm.BTCUSDT", price_decimals=1, size_decimals=3, tick=1, lot=1)


def opened(minute):
    return FIRST + minute * 60_000


class Shelf:
    """A venue that answers at most `page` rows, from the old or the recent end, and counts what it is asked."""

    def __init__(self, minutes, page=1_000, recent=False):
        self.rows = {opened(m): row(opened(m)) for m in minutes}
        self.page = page
        self.recent = recent
        self.asked = []

    async def ask(self, timeframe, first, last):
        self.asked.append((timeframe, first, last))
        step = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000}[timeframe]
        found = [self.rows[ts] for ts in sorted(self.rows) if first <= ts <= last and ts % step == 0]
        return found[-self.page :] if self.recent else found[: self.page]

    def update(self, root, timeframe="1m", now=LATER, instrument=USDM, **options):
        return asyncio.run(update(root, self.ask, instrument, DATE, timeframe, now, **options))


def day(root, timeframe="1m", instrument=USDM):
    return read_day(root, DATE, instrument, timeframe)


def test_a_whole_day_is_stored_and_not_asked_for_again(root):
    """1440 minutes in five pages, exact and close-stamped; the second call asks nothing."""
    shelf = Shelf(range(1_440))
    assert vars(shelf.update(root)) == {
        "fetched": 1_440,
        "stored": 0,
        "pending": 0,
        "not_published": 0,
        "quarantined": [],
    }
    assert len(shelf.asked) == -(-1_440 // PAGE)
    stored = conform(read(root.partition("rest_candles", DATE, USDM.id)).collect(), SCHEMAS["rest_candles"], "t")
    assert stored["ts"].to_list() == [START + k * MINUTE for k in range(1, 1_441)]
    assert stored.row(0)[2:] == (1000, 1010, 990, 1005, 1500, 1_507_500, 7, 500, None)
    shelf.asked.clear()
    assert (shelf.update(root).stored, shelf.asked) == (1_440, [])
    assert [entry.rows for entry in manifest(root, "rest_candles").values()] == [1_440]


def test_what_is_missing_is_asked_for_and_nothing_else(root):
    """A hole in the middle is filled as well as the end: not only what is newer than the newest row."""
    now = START + 200 * MINUTE + SETTLED
    shelf = Shelf([*range(50), *range(80, 100)])
    assert shelf.update(root, now=now).pending == 60, "the venue may still publish what is younger than the grace"
    shelf.asked.clear()
    shelf.rows |= Shelf(range(1_440)).rows
    done = shelf.update(root, now=now)
    assert (done.stored, done.fetched) == (140, 60)
    assert shelf.asked == [("1m", opened(140), opened(199))]
    assert day(root).filter(reason="not_published")["ts"].to_list() == [
        START + (k + 1) * MINUTE for k in (*range(50, 80), *range(100, 140))
    ]


def test_not_published_is_on_record_until_asked_again(root):
    """A venue that does not have a candle is not bothered every time; `again` bothers it."""
    shelf = Shelf([*range(600), *range(700, 1_440)])
    assert shelf.update(root).not_published == 100
    assert day(root).filter(reason="not_published")["close"].null_count() == 100
    assert shelf.update(root).stored == 1_440
    shelf.rows |= Shelf(range(650)).rows
    done = shelf.update(root, again=True)
    assert (done.stored, done.fetched, done.not_published) == (1_340, 50, 50)
    assert day(root)["reason"].null_count() == 1_390


def test_a_day_without_any_candle_is_on_record(root):
    """Before a listing, say: every candle not published, asked for once."""
    shelf = Shelf([])
    assert shelf.update(root).not_published == 1_440
    assert (shelf.update(root).stored, len(shelf.asked)) == (1_440, 5)


def test_timeframes_lie_side_by_side(root):
    """One file per day; each is brought up to date by itself."""
    shelf = Shelf(range(1_440))
    assert [shelf.update(root, name).fetched for name in ("1h", "1m", "5m")] == [24, 1_440, 288]
    assert [day(root, name).height for name in ("1h", "1m", "5m", "15m")] == [24, 1_440, 288, 0]
    assert day(root, "1h")["ts"].to_list()[-1] == START + 1_440 * MINUTE


def test_what_has_not_closed_is_not_asked_for(root):
    """Nor what closed a moment ago, since it may still change."""
    shelf = Shelf(range(1_440))
    shelf.update(root, now=START + 10 * MINUTE + SETTLED - 1)
    assert day(root).height == 9
    assert shelf.asked == [("1m", opened(0), opened(8))]
    assert list(grid(DATE, "1h", START - 1)) == []


def test_a_bad_candle_is_quarantined_with_its_reason(root):
    """Off the listed grid, contradictory, or twice with other values: null, and told; the others are stored."""
    shelf = Shelf(range(10))
    shelf.rows[opened(3)] = [opened(3), "100.05", *row(0)[2:]]
    shelf.rows[opened(5)] = [opened(5), "1", *row(0)[2:]]
    done = shelf.update(root, now=START + 10 * MINUTE + SETTLED)
    assert [(e["ts"], e["reason"]) for e in done.quarantined] == [
        (START + 4 * MINUTE, "off_grid"),
        (START + 6 * MINUTE, "bad_frame"),
    ]
    stored = day(root)
    assert stored["reason"].drop_nulls().to_list() == ["off_grid", "bad_frame"]
    assert (done.fetched, stored["volume"].null_count()) == (8, 2)


def test_two_answers_about_one_candle_are_quarantined(root):
    """An equal repeat is one candle; of unequal ones nobody knows which is right."""

    async def ask(timeframe, first, last):
        return [row(opened(0)), row(opened(0)), row(opened(1)), row(opened(1), price=200.0)]

    done = asyncio.run(update(root, ask, USDM, DATE, "1m", START + 2 * MINUTE + SETTLED))
    assert day(root)["reason"].to_list() == [None, "unequal_repeat"]
    assert (done.fetched, len(done.quarantined)) == (1, 1)


def test_an_unsettled_candle_waits(root):
    """OKX marks a candle that may still change; it is not stored, nor recorded as missing."""
    okx = Instrument("okx-swap.BTC-USDT-SWAP", price_decimals=1, size_decimals=3, tick=1, lot=1)
    shelf = Shelf(range(2))
    for k, confirmed in ((0, "1"), (1, "0")):
        shelf.rows[opened(k)][8] = confirmed
    done = shelf.update(root, now=START + 2 * MINUTE + SETTLED, instrument=okx)
    assert (done.fetched, done.pending) == (1, 1)
    assert day(root, instrument=okx).height == 1


@pytest.mark.parametrize("error", [VenueRefused("no."), CaptureError("no.")])
def test_a_refusal_stores_nothing(root, error):
    """What was not answered is not recorded as not published."""

    async def ask(timeframe, first, last):
        raise error

    with pytest.raises(CaptureError):
        asyncio.run(update(root, ask, USDM, DATE, "1m", LATER))
    assert not root.partition("rest_candles", DATE, USDM.id).exists()


@given(st.sets(st.integers(0, 700)), st.integers(1, 40), st.booleans())
def test_whatever_the_pages_every_candle_is_found(minutes, page, recent):
    """However short the answers are, and from whichever end they come."""
    shelf = Shelf(minutes, page, recent)
    run = (START + MINUTE, START + 701 * MINUTE)
    found = asyncio.run(fetch(shelf.ask, "1m", [run]))
    assert set(found) == {START + (m + 1) * MINUTE for m in minutes}
    assert len(shelf.asked) <= 3 + 3 * (len(minutes) // page + 3)


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_missing_runs_are_what_is_wanted_and_not_stored(wanted, stored):
    """Apart from each other, in order, and nothing else."""
    runs = missing(wanted, stored, 1)
    assert [ts for first, last in runs for ts in range(first, last + 1)] == sorted(wanted - stored)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(runs))


def test_the_grace_is_longer_than_the_wait():
    """Else a candle could be recorded as missing before it is asked for."""
    assert SETTLED < GRACE
