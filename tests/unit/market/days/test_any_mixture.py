"""Whatever mixture of streams the files of a sequence hold: nothing is lost without a count, no time is known twice."""

import json
from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.core.instruments import Instrument
from ml.core.time import bounds
from ml.market.bulk import shapes as at
from ml.market.days.samples import sample_captures
from ml.market.decode.events import RawFrame
from ml.market.files import captures
from ml.market.files.capture_sequence import link
from ml.market.files.index import scan
from ml.market.gaps import gaps, named
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.emulator.archives import Part, formats
from tests.support.emulator.market import Market
from tests.support.emulator.protocols import PROTOCOLS, Binance, Bybit
from tests.support.examples import examples
from tests.unit.market.decode.messages import EMULATED

DATE = "2025-03-03"
NEXT = "2025-03-04"
MIDNIGHT = bounds(DATE)[1] // 10**6
MS = MIDNIGHT - 20_000
"""Begin of the tape, ms UTC: 20 s before midnight."""
SENDING = ("binance-spot", "binance-usdm", "binance-coinm", "bybit-linear", "bybit-spot", "okx-swap", "okx-spot")
PUBLISHED_ALONE = "coinbase-spot"
"""A venue of which there are archives and no captures."""
VENUES = (*SENDING, PUBLISHED_ALONE)
STEPS = 160
"""Of 250 ms each: 40 s, half of them on the next day."""


class Streams:
    """What one venue sends in some seconds, by stream: (ms, text) in order; and the market that it is about."""

    def __init__(self, venue, seed):
        self.protocol = PROTOCOLS[venue](venue) if venue in PROTOCOLS else None
        self.symbol = "BTC-USD" if venue == PUBLISHED_ALONE else EMULATED.get(venue, "BTCUSDT")
        self.market = Market(self.symbol, seed, self.protocol.gap_ids if self.protocol else 1, opened_ms=MS)
        self.found = {"book": [], "trades": []}
        if self.protocol is None:
            for k in range(STEPS):
                self.market.step(MS + 250 * k)
        else:
            self.send()

    def send(self):
        for k in range(STEPS):
            ms = MS + 250 * k
            book, *trades = self.protocol.frames(self.market, self.market.step(ms))
            self.found["book"].append((ms, book))
            self.found["trades"] += [(ms, trade) for trade in trades]
            if k in (3, STEPS // 2):
                self.found["book"] += [(ms, text) for text in self.opening(ms)]
        self.found["others"] = [(MS + 2_000 * k, text) for k in range(20) for text in self.foreign(MS + 2_000 * k)]
        if isinstance(self.protocol, Binance):
            self.binance()
        elif isinstance(self.protocol, Bybit):
            texts = [(ms, text.replace("orderbook.200", "orderbook.50")) for ms, text in self.found["book"][::2]]
            self.found["second book"] = texts
        else:
            self.found["second book"] = [(ms, self.five(ms)) for ms in range(MS, MS + 40_000, 500)]

    def opening(self, ms):
        return self.protocol.opening(self.market) or [self.protocol.snapshot(self.market, ms)]

    def foreign(self, ms):
        if isinstance(self.protocol, Binance):
            data = {"e": "kline", "E": ms, "s": self.symbol, "k": {"t": ms}}
            return [json.dumps({"stream": f"{self.symbol.lower()}@kline_1m", "data": data})]
        if isinstance(self.protocol, Bybit):
            return [json.dumps({"topic": f"tickers.{self.symbol}", "type": "snapshot", "ts": ms, "data": {}})]
        arg = {"channel": "tickers", "instId": self.symbol}
        return [json.dumps({"arg": arg, "data": [{"ts": str(ms)}]})]

    def five(self, ms):
        levels = {"asks": [["1001", "1", "0", "1"]], "bids": [["999", "1", "0", "1"]], "ts": str(ms), "seqId": 9}
        return json.dumps({"arg": {"channel": "books5", "instId": self.symbol}, "data": [levels]})

    def binance(self):
        name = self.symbol.lower()
        slow = [(ms, text.replace("@depth@0ms", "@depth@500ms")) for ms, text in self.found["book"][::2]]
        self.found["second book"] = [(ms, text) for ms, text in slow if "@depth@500ms" in text]
        together = []
        for number, (ms, text) in enumerate(self.found["trades"]):
            one = json.loads(text)["data"]
            said = {"e": "aggTrade", "E": ms, "a": number, "s": self.symbol, "p": one["p"], "q": one["q"]}
            said |= {"f": one["t"], "l": one["t"], "T": ms, "m": one["m"]}
            said |= {"st": one["st"]} if "st" in one else {"M": True}
            together.append((ms, json.dumps({"stream": f"{name}@aggTrade", "data": said})))
        self.found["aggregated"] = together


@st.composite
def windows(draw):
    """Some seconds: numbers of the first change and of the one behind the last."""
    first = draw(st.integers(0, STEPS - 40))
    return first, draw(st.integers(first + 20, STEPS))


@st.composite
def files(draw):
    """Of some venue: lines by file, each file with some of the streams in some seconds, in an order of its own.

    And its archives: by format, each with the window that a file of it holds.
    """
    venue = draw(st.sampled_from(VENUES))
    streams = Streams(venue, draw(st.integers(0, 50)))
    written = []
    sent = venue != PUBLISHED_ALONE
    for _ in range(draw(st.integers(0, 3)) if sent else 0):
        first, behind = draw(windows())
        names = draw(st.sets(st.sampled_from(sorted(streams.found)), min_size=1))
        rows = []
        for name in sorted(names):
            delay = draw(st.sampled_from((5, 40, 900)))
            lost = draw(st.sets(st.integers(0, STEPS), max_size=2))
            own = [row for row in streams.found[name] if MS + 250 * first <= row[0] < MS + 250 * behind]
            rows += [(ms + delay, text) for k, (ms, text) in enumerate(own) if k not in lost]
        rows.sort(key=lambda row: row[0])
        if draw(st.booleans()):
            rows.insert(draw(st.integers(0, len(rows))), (rows[0][0] if rows else MS, '{"hello":1}'))
        for k in sorted(draw(st.sets(st.integers(0, max(len(rows) - 2, 0)), max_size=2))) if len(rows) > 2 else ():
            rows[k : k + 2] = [(rows[k][0], rows[k + 1][1]), (rows[k + 1][0], rows[k][1])]
        written.append(rows)
    archived = st.tuples(st.sampled_from(sorted(formats(venue))), windows())
    archives = draw(st.lists(archived, min_size=0 if any(written) else 1, max_size=3))
    return venue, streams, written, archives


def write(path, venue, rows, path_of):
    address = "" if "binance" in venue else f"wss://x{path_of}"
    lines = [{"t": "recv", "conn": address, "ts": ms / 1000, "data": text} for ms, text in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def publish(folder, venue, streams, name, window):
    """Write an archive, a file per date; the trades that it holds."""
    of_dates, write_archive = formats(venue)[name]
    middle = (MIDNIGHT - MS) // 250
    held = set()
    for date, first, behind in ((DATE, 0, middle), (NEXT, middle, STEPS)):
        if not of_dates:
            first, behind = max(first, window[0]), min(behind, window[1])
        if first < behind:
            part = Part(venue, streams.market, first, behind, date)
            write_archive(folder / date, part)
            held |= happened(part)
    return held if "trades" in name.lower() or name == "gdax raw" else set()


def happened(part):
    """The trades of a part of a market as they are stored: time, side, price and size."""
    return {(ms * 10**6, *trade) for _, ms, *trade in part.trades()}


def dates_of(chain):
    spans = [span for _, index in chain.files for span in index.instruments.values() if span.first_event]
    first = min((span.first_event for span in spans), default=0)
    last = max((span.last_event for span in spans), default=0)
    return [date for date in (DATE, NEXT) if first < bounds(date)[1] and last >= bounds(date)[0]]


def trade_of(ms, text):
    """Time, price, size and side as they are stored."""
    doc = json.loads(text)["data"]
    one = doc[0] if isinstance(doc, list) else doc
    price, size = (next(one[key] for key in keys if key in one) for keys in (("p", "px"), ("q", "v", "sz")))
    said = "buy" if one.get("m") is False else next((one[key] for key in ("S", "side") if key in one), "sell")
    return ms * 10**6, 1 if said.lower() == "buy" else -1, round(float(price) * 10), round(float(size) * 1000)


def rows_read(path):
    """How many rows of an archive its frames hold, and how many are refused; and how many rows it has."""
    items = list(captures.read(path))
    rows = [json.loads(item.payload).get("rows") if isinstance(item, RawFrame) else None for item in items]
    headers = 0 if path.suffix == ".data" else 1
    return sum(1 if found is None else len(found) for found in rows), len(path.read_text().splitlines()) - headers


@settings(max_examples=examples(20, 60), deadline=None, suppress_health_check=list(HealthCheck))
@given(files())
def test_every_frame_is_counted_and_only_the_book_makes_the_book_known(tmp_path_factory, given_):
    """Read, counted by kind or quarantined; known time and gaps are the day; trades count once."""
    venue, streams, written, archives = given_
    folder = tmp_path_factory.mktemp("mixed")
    for number, rows in enumerate(rows for rows in written if rows):
        write(folder / f"{number}.jsonl", venue, rows, streams.protocol.path)
    published = set()
    for number, (name, window) in enumerate(archives):
        published |= publish(folder / f"archive {number}", venue, streams, name, window)
    instrument = Instrument(f"{venue}.{streams.symbol}", 1, 3, 1, 1)
    chain = link(sorted(path for path in folder.rglob("*") if path.is_file()), lambda path: scan(path)[0])
    runs = list(chain.runs(instrument.id))
    kinds = np.concatenate([run.kind for run in runs])
    lines = sum(len(path.read_text().splitlines()) for path, index in chain.files if path.suffix == ".jsonl")
    lines += sum(len(path.read_text().splitlines()) for path, _ in chain.unread)
    for path, index in chain.files:
        if path.suffix != ".jsonl":
            lines += index.frames
            found, has = rows_read(path)
            assert found == has, path
    refused = sum(sum(reasons.values()) for reasons in chain.quarantined().values())
    not_read = sum(chain.not_read().values())
    assert int(np.count_nonzero(kinds != at.OTHER)) + not_read + refused == lines
    dates = dates_of(chain)
    if not dates:
        assert (kinds == at.OTHER).all()
        return
    raws = {date: raw_day(chain, instrument, date) for date in dates}
    assert sum(raw.filter(pl.col("kind") != "checkpoint").height for raw in raws.values()) == len(kinds)
    days = {date: decode_day(raw, instrument, date) for date, raw in raws.items()}
    for date, day in days.items():
        samples = sample_day(raws[date], day.book_events, day.trades, day.validity, instrument, date)
        assert_frame_equal(sample_captures(chain, instrument, date).samples, samples)
    assert_known_by_books(runs, streams, written, days)
    assert_tiled(
        pl.concat(named(day.validity, date, instrument.id) for date, day in days.items()), bounds(dates[-1])[1]
    )
    trades = pl.concat(day.trades for day in days.values()).select("event_ts", "side", "price", "size")
    found = trades.rows()
    assert len(found) == len(set(found))
    assert set(found) <= happened(Part(venue, streams.market, 0, STEPS, ""))
    if not chain.not_read().keys() - {"kline", "tickers"}:
        texts = {text for rows in written for _, text in rows}
        held = published | {
            trade_of(*row)
            for name in ("trades", "aggregated")
            for row in streams.found.get(name, [])
            if row[1] in texts
        }
        assert held == set(found)


def assert_known_by_books(runs, streams, written, days):
    """No time is known after the last message of a book, and none in which a message was lost."""
    last = max((int(run.moves[run.kind == at.BOOK].max(initial=0)) for run in runs), default=0)
    intervals = [row for day in days.values() for row in day.validity.select("start_ts", "end_ts").rows()]
    for begin, until in intervals:
        assert begin <= until <= max(last, begin)
    assert last or not any(until > begin for begin, until in intervals)


def assert_tiled(validity, end):
    """Known intervals and gaps follow each other up to the end of the last day, and never overlap."""
    found = gaps(validity).select("start", "end").rows()
    pieces = [(begin, end if until is None else until) for begin, until in found]
    pieces += [row for row in validity.select("start_ts", "end_ts").rows() if row[0] < row[1]]
    pieces.sort()
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert pieces[-1][1] == end
