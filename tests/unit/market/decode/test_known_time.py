"""What a book is known by: only messages of the book say so, whatever else arrives, before and after midnight."""

import json
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.core.instruments import Instrument
from ml.core.time import DAY_NS, SECOND, bounds
from ml.evaluation.parity import replay
from ml.features.tick.build import build
from ml.labels.future import label
from ml.market.book.feed import Feed
from ml.market.days.day_frames import DayFrames
from ml.market.days.raw import raw_day as raw_parts
from ml.market.days.samples import sample_captures, tail
from ml.market.days.tables import samples_array
from ml.market.files import captures
from ml.market.gaps import gaps, named
from ml.tables.schemas import NullReason
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.emulator.market import Market
from tests.support.emulator.protocols import PROTOCOLS, Binance
from tests.support.scenario import chain_of
from tests.unit.market.decode.messages import EMULATED

DATE = "2025-03-03"
NEXT = "2025-03-04"
END = bounds(DATE)[1]
MIDNIGHT = 900
"""In seconds of the tape, which begins 15 minutes before it."""
START = END - MIDNIGHT * SECOND
MS = START // 10**6
QUIET = range(10, 610)
"""Seconds of the tape without a book message."""


class Tape:
    """Frames of an emulated venue with the time at which they happened, in ms of the tape: book and trades apart."""

    def __init__(self, venue):
        self.protocol = PROTOCOLS[venue](venue)
        symbol = EMULATED.get(venue, "BTCUSDT")
        self.market = Market(symbol, 3, self.protocol.gap_ids, opened_ms=MS)
        self.others = Market(symbol, 4, self.protocol.gap_ids, opened_ms=MS)
        self.instrument = Instrument(f"{venue}.{symbol}", 1, 3, 1, 1)
        self.lines = []

    def add(self, ms, *frames):
        address = "" if "binance" in self.instrument.id else f"wss://x{self.protocol.path}"
        for frame in frames:
            at = (MS + ms + 5) / 1000
            self.lines.append(json.dumps({"t": "recv", "conn": address, "ts": at, "data": frame}))

    def open(self, ms):
        """What begins a book: the snapshot in the stream, or an answer of REST with a change before it."""
        if isinstance(self.protocol, Binance):
            self.book(ms)
            self.add(ms, self.protocol.snapshot(self.market, MS + ms))
        else:
            self.add(ms, *self.protocol.opening(self.market))

    def book(self, ms, lost=False):
        """A change of the book; one that is lost never arrives."""
        change = self.market.step(MS + ms)
        if not lost:
            self.add(ms, self.protocol.frames(self.market, change)[0])

    def trade(self, ms):
        """A trade alone."""
        while True:
            frames = self.protocol.frames(self.others, self.others.step(MS + ms))
            if len(frames) > 1:
                return self.add(ms, frames[1])

    def write(self, path):
        path.write_text("".join(line + "\n" for line in self.lines))
        return chain_of(path)


def tables(chain, instrument, date=DATE):
    """Raw frames, events and samples of a day; straight from captures the samples are the same."""
    raw = raw_day(chain, instrument, date)
    events = decode_day(raw, instrument, date)
    samples = sample_day(raw, events.book_events, events.trades, events.validity, instrument, date)
    assert_frame_equal(sample_captures(chain, instrument, date).samples, samples)
    return raw, events, samples


def intervals(events):
    """Bounds in seconds of the tape, and why each ended."""
    rows = events.validity.select("start_ts", "end_ts", "end_reason").rows()
    return [((start - START) / SECOND, (end - START) / SECOND, reason) for start, end, reason in rows]


def features_of(raw, samples, instrument, date=DATE):
    return build(samples_array(samples), tail(raw[:1], instrument, date), instrument)


def assert_live_is_the_same(raws, parts, instrument):
    """Every stored feature row of these days, frame by frame."""
    found = replay([raw.iter_slices(1 << 12) for raw in raws], pl.concat(parts), instrument)
    assert (found.mismatches, found.first) == (0, "")
    assert found.rows > 0


def a_book_that_dies(venue, until=MIDNIGHT + 2 * 86_400):
    """Twelve seconds of book, and trades for days: a minute apart, then hours."""
    tape = Tape(venue)
    tape.open(0)
    for ms in range(200, 12_000, 200):
        tape.book(ms)
    for second in [*range(13, MIDNIGHT + 90, 60), *range(MIDNIGHT + 7_200, until, 7_200)]:
        tape.trade(second * 1_000)
    return tape


@pytest.mark.parametrize("venue", ["binance-usdm", "binance-spot", "bybit-linear", "okx-swap"])
def test_trades_do_not_make_a_book_known(venue, tmp_path):
    """The book feed dies, trades go on for days: a gap from its last message on, later rows null, no label moves."""
    tape = a_book_that_dies(venue)
    chain = tape.write(tmp_path / "a.jsonl")
    instrument = tape.instrument
    raw, events, samples = tables(chain, instrument)
    ((start, end, reason),) = intervals(events)
    assert (start < 1, 11.7 < end < 11.9, reason) == (True, True, "silent")
    assert samples["ts"][-1] == END
    assert samples.filter(pl.col("valid"))["ts"].max() == START + 11 * SECOND
    unknown = samples.filter(~pl.col("valid"))
    assert unknown["bid_price_1"].null_count() == unknown.height == MIDNIGHT - 11
    labels = label(samples, tail(raw[:1], instrument, DATE), DATE)
    assert labels["movement_10s"].is_not_null().sum() == 1
    _, later, nothing = tables(chain, instrument, NEXT)
    assert later.validity["end_reason"].to_list() == ["no_snapshot"]
    assert not nothing["valid"].any()
    stored = [named(day.validity, date, instrument.id) for date, day in ((DATE, events), (NEXT, later))]
    (gap,) = gaps(pl.concat(stored)).to_dicts()
    assert (gap["reason"], gap["start"], gap["end"]) == ("silent", START + round(end * SECOND), None)
    assert_live_is_the_same([raw], [features_of(raw, samples, instrument)], instrument)


@pytest.mark.parametrize("venue", PROTOCOLS)
def test_a_quiet_book_is_known_and_its_rows_are_stale(venue, tmp_path):
    """Ten minutes with trades alone, then a change that follows: nothing was missing, and nobody could know it."""
    tape = Tape(venue)
    tape.open(0)
    for ms in range(500, 1_000 * QUIET[0], 500):
        tape.book(ms)
    for second in QUIET:
        tape.trade(1_000 * second + 300)
    for ms in range(1_000 * QUIET[-1] + 1_500, 1_000 * QUIET[-1] + 70_000, 500):
        tape.book(ms)
    chain = tape.write(tmp_path / "a.jsonl")
    instrument = tape.instrument
    raw, events, samples = tables(chain, instrument)
    ((start, end, reason),) = intervals(events)
    assert (start < 1, end > QUIET[-1] + 69, reason) == (True, True, "capture_end")
    assert samples["valid"].all()
    features = features_of(raw, samples, instrument)
    stale = features.filter(pl.col("null_reason_book") == NullReason.STALE)
    last = START + QUIET[0] * SECOND  # half a second after the last change
    assert stale["ts"].min() == last + 60 * SECOND
    assert stale["ts"].max() == START + (QUIET[-1] + 1) * SECOND
    assert stale["spread_bps"].null_count() == stale.height
    labels = label(samples, tail(raw[:1], instrument, DATE), DATE)
    inside = labels.filter(pl.col("ts") == last + 100 * SECOND).to_dicts()[0]
    assert inside["movement_60s"] == 0
    assert inside["age_at_target_60s"] == pytest.approx(160.5 * SECOND, abs=SECOND / 100)
    assert_live_is_the_same([raw], [features], instrument)


@pytest.mark.parametrize("venue", PROTOCOLS)
def test_a_silence_that_hides_a_loss_is_unknown(venue, tmp_path):
    """The change after it does not follow: unknown from the last message before the silence on, and live the same."""
    tape = Tape(venue)
    tape.open(0)
    for ms in range(500, 10_000, 500):
        tape.book(ms)
    for second in range(10, 200):
        tape.trade(1_000 * second + 300)
    tape.book(200_000, lost=True)
    for ms in range(201_000, 210_000, 500):
        tape.book(ms)
    tape.add(210_000, *tape.protocol.opening(tape.market))
    if isinstance(tape.protocol, Binance):
        tape.add(210_000, tape.protocol.snapshot(tape.market, MS + 210_000))
    for ms in range(210_500, 240_000, 500):
        tape.book(ms)
    chain = tape.write(tmp_path / "a.jsonl")
    instrument = tape.instrument
    raw, events, samples = tables(chain, instrument)
    (one, other) = intervals(events)
    assert one[1:] == (pytest.approx(9.5, abs=0.01), "sequence_gap")
    assert other[0] >= 209.5
    silence = samples.filter(pl.col("ts").is_between(START + 10 * SECOND, START + 209 * SECOND))
    assert silence.height == 200
    assert not silence["valid"].any()
    assert_live_is_the_same([raw], [features_of(raw, samples, instrument)], instrument)


@pytest.mark.parametrize(("longer", "reason"), [(59, "capture_end"), (62, "silent")])
def test_a_capture_in_which_trades_outlive_the_book_tells_so(tmp_path, longer, reason):
    """Up to the bound on the book's age that is how any capture ends."""
    tape = Tape("binance-usdm")
    tape.open(0)
    for second in range(1, 11):
        tape.book(1_000 * second)
    for second in range(10, 11 + longer):
        tape.trade(1_000 * second + 500)
    chain = tape.write(tmp_path / "a.jsonl")
    _, events, samples = tables(chain, tape.instrument)
    assert [row[1:] for row in intervals(events)] == [(10.0, reason)]
    assert samples.height == (10 if reason == "capture_end" else 10 + longer)
    assert samples["valid"].sum() == 10
    feed = Feed.of(tape.instrument)
    for arrived in chain.frames(tape.instrument.id):
        feed.offer(arrived.doc, arrived.frame.recv_ts)
    assert [gap["reason"] for gap in feed.gaps()] == ([reason] if reason == "silent" else [])
    assert feed.known is (reason == "capture_end")


def test_the_bound_is_the_instruments(tmp_path):
    """A quiet market may be given more time."""
    tape = Tape("okx-swap")
    tape.open(0)
    tape.book(500)
    for second in range(1, 300):
        tape.trade(1_000 * second)
    tape.book(300_500)
    chain = tape.write(tmp_path / "a.jsonl")
    patient = replace(tape.instrument, stale_after=120)
    raw, _, samples = tables(chain, patient)
    reasons = features_of(raw, samples, patient)["null_reason_book"]
    assert (reasons == NullReason.STALE).sum() == 180


def test_a_quiet_book_is_known_over_days_if_its_next_message_follows(tmp_path):
    """Trades of two midnights stand between the two messages; a day keeps the few frames that decide."""
    tape = Tape("bybit-linear")
    tape.open(0)
    for second in range(1, 60):
        tape.book(1_000 * second)
    for second in range(60, MIDNIGHT + 86_400, 60):
        tape.trade(1_000 * second)
    for second in range(MIDNIGHT + 86_400, MIDNIGHT + 86_410):
        tape.book(1_000 * second)
    chain = tape.write(tmp_path / "a.jsonl")
    instrument = tape.instrument
    for date in (DATE, NEXT):
        day = DayFrames(chain, instrument, date)
        for _ in day.runs():
            pass
        assert len(day.closing) <= 5
        _, events, samples = tables(chain, instrument, date)
        assert events.validity.select("end_ts", "end_reason").rows() == [(bounds(date)[1], None)]
        assert samples["valid"].all()


def test_a_day_of_trades_reads_and_keeps_no_other_day(tmp_path, monkeypatch):
    """A file per day for weeks: what a day costs does not grow with how many there are."""
    (tmp_path / "a").mkdir()
    for day in range(20):
        tape = Tape("binance-usdm")
        for second in range(MIDNIGHT + 60, MIDNIGHT + 86_400, 3_600):
            tape.trade(1_000 * second + (day - 10) * DAY_NS // 10**6)
        tape.write(tmp_path / "a" / f"{day:02}.jsonl")
    chain = chain_of(tmp_path / "a")
    read = []
    own = captures.columns
    monkeypatch.setattr(captures, "columns", lambda path: read.append(path.name) or own(path))
    instrument = tape.instrument
    raw = pl.concat(raw_parts(chain, instrument, NEXT))
    assert set(read) <= {"09.jsonl", "10.jsonl", "11.jsonl"}
    assert raw.height == 24 + 2
    closing = raw.filter(conn="closing")["payload"][0]
    assert len(json.loads(closing)) == 1


def test_a_day_without_a_book_has_its_gap_inside_it(tmp_path):
    """It begins with the day's first frame, not with those of the next day that were read."""
    tape = Tape("binance-usdm")
    for second in range(600, MIDNIGHT + 700, 100):
        tape.trade(1_000 * second)
    chain = tape.write(tmp_path / "a.jsonl")
    assert intervals(tables(chain, tape.instrument)[1]) == [(600, 600, "no_snapshot")]
    assert intervals(tables(chain, tape.instrument, NEXT)[1]) == [(MIDNIGHT, MIDNIGHT, "no_snapshot")]


def test_a_book_that_never_came_has_rows_live_too(tmp_path):
    """They are final at once, each null, and no row is missing on either side."""
    tape = Tape("binance-usdm")
    for second in range(100):
        tape.trade(1_000 * second + 100)
    raw, _, samples = tables(tape.write(tmp_path / "a.jsonl"), tape.instrument)
    assert samples.height == 99
    assert_live_is_the_same([raw], [features_of(raw, samples, tape.instrument)], tape.instrument)


HEAD = "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount\n"


def book_snapshots(path, seconds):
    rows = []
    for k, second in enumerate(seconds):
        us = (MS * 1_000) + int(second * 1_000_000)
        rows.append(f"binance-futures,BTCUSDT,{us},{us + 500},{101 + k % 3}.0,1,{99 - k % 2}.0,{1 + k % 5}\n")
    path.write_text(HEAD + "".join(rows))
    return chain_of(path), Instrument("binance-usdm.BTCUSDT", 1, 3, 1, 1)


def test_a_day_of_book_snapshots_has_its_rows_without_flows(tmp_path):
    """Each snapshot confirms the one before; what was added and cancelled between two was not seen, and is null."""
    chain, instrument = book_snapshots(tmp_path / "x.csv", range(600))
    raw, events, samples = tables(chain, instrument)
    assert intervals(events) == [(0, 599, "capture_end")]
    assert (samples.height, samples["valid"].all()) == (599, True)
    assert samples["bid_price_1"].null_count() == 0
    for column in ("n_updates", "ofi_1", "ofi_10", "added_bid_touch", "cancelled_ask_20bps"):
        assert samples[column].null_count() == samples.height
    features = features_of(raw, samples, instrument)
    late = features[-100:]
    assert set(late["null_reason_flow"]) <= {NullReason.UNDEFINED, NullReason.NO_TRADES_CAPTURED}
    assert late.select("ofi_1_5s", "add_imb_5s", "update_rate_5s").null_count().row(0) == (100, 100, 100)
    assert late["spread_bps"].null_count() == 0
    assert_live_is_the_same([raw], [features], instrument)


def test_snapshots_far_apart_leave_the_time_between_unknown(tmp_path):
    """They have no ids, so nothing tells a quiet market from one that was not recorded."""
    chain, instrument = book_snapshots(tmp_path / "x.csv", [*range(30), *range(200, 230)])
    _, events, samples = tables(chain, instrument)
    assert intervals(events) == [(0, 29, "silent"), (200, 229, "capture_end")]
    assert samples["valid"].sum() == 29 + 29


def test_a_day_that_follows_book_snapshots_is_unknown(tmp_path):
    """A first row of the next day, and none after it."""
    chain, instrument = book_snapshots(tmp_path / "x.csv", range(MIDNIGHT - 20, MIDNIGHT + 1))
    _, events, samples = tables(chain, instrument)
    assert intervals(events) == [(MIDNIGHT - 20, MIDNIGHT, None)]
    assert samples["valid"].all()
    _, events, samples = tables(chain, instrument, NEXT)
    assert (events.validity["end_reason"].to_list(), samples.height) == (["capture_end"], 0)
