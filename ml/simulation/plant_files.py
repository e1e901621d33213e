"""Plants episodes into capture files: a file of the same format with the episodes in it, and what was planted.

Here: which frames change, and their text.
Add here: how another venue writes levels, trades and snapshots.
Not here: episodes (`ml.simulation.episodes`), their levels and trades as arrays (`ml.simulation.overlay`).

A line that no episode touches keeps its bytes. Update ids go on: levels are added to messages that are there. Ids of
added trades lie below all others of the file, so that no number is missing between two of its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from ml.core import addresses
from ml.core.errors import CaptureError
from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.market.book.layout import BookStream, TradeStream
from ml.market.days.infer_instrument import infer_instrument
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.decoder import Decoder
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import TIME
from ml.market.files import lines
from ml.market.files.capture_sequence import CaptureSequence, link
from ml.market.files.index import scan
from ml.market.venues import binance, bybit, okx
from ml.simulation import overlay
from ml.simulation.episodes import Episode, PlantedTrade, Ranges
from ml.simulation.overlay import LOST_S, Edits
from ml.storage.commit import sha256_file

BELOW = 10**6
"""How far below the smallest id of a trade in the file the ids of added ones begin."""
MS = 10**6
OF_ANOTHER_FILE = -1
Doc = dict[str, Any]


class Planted(NamedTuple):
    """What was planted: a row per episode as in `overlay.TRUTH`, and the instruments by id."""

    truth: pl.DataFrame
    instruments: dict[str, Instrument]


class _Source(NamedTuple):
    """One instrument of a file as events, and from which line each book message and each trade frame came."""

    instrument: Instrument
    books: BookStream
    trades: TradeStream
    lines_of: list[int]
    """Line offset of each book message; OF_ANOTHER_FILE where it is none of the file's."""
    docs: dict[int, Doc]
    """Book frames by line offset."""
    moving: list[tuple[int, int]]
    """Watermark and offset of each frame that moves the clock, in order."""
    trade_lines: list[tuple[int, Doc]]
    """Offset and frame of the trade frames."""


def plant_file(
    source: Path,
    target: Path,
    seed: int,
    variants: Sequence[str],
    count: int,
    ranges: Ranges | None = None,
    sizes: Sequence[float] = (),
    before: Sequence[Path] = (),
) -> Planted:
    """Write a copy of a capture file with episodes in each of its books.

    Args:
        source: a capture file of Binance, Bybit or OKX, with books and trades.
        target: the file to write, compressed as its suffix says; the layout is that of the source.
        seed: the same gives the same file.
        variants: of the episodes, each in turn.
        count: episodes per instrument.
        ranges: of their parameters.
        sizes: of a layer in typical best sizes, each in turn with all variants; drawn where empty.
        before: captures whose book the source continues; they are read only.

    Raises:
        CaptureError: nothing can be planted: the file has no book with changes, or no trades.
    """
    chain = link([*before, source], lambda path: scan(path)[0])
    own = sha256_file(source)
    changes = _Changes()
    tables: list[pl.DataFrame] = []
    instruments: dict[str, Instrument] = {}
    refused: list[str] = []
    for k, name in enumerate(chain.instruments()):
        if name.partition(".")[0] not in _VENUES:
            refused.append(f"{name}: planting writes frames of {', '.join(_VENUES)}")
            continue
        found = _read(chain, infer_instrument(chain, name), own)
        lacking = "no book that can be followed" if not found.docs else "" if found.trade_lines else "no trades"
        if lacking:
            refused.append(f"{name}: {lacking}")
            continue
        tape = overlay.tape(found.books, found.trades, found.instrument)
        tape.known[np.array(found.lines_of) == OF_ANOTHER_FILE] = False
        episodes = overlay.draw_episodes(tape, seed + k, variants, count, ranges, sizes)
        _change(found, episodes, changes)
        tables.append(overlay.truth(episodes, name, seed))
        instruments[name] = found.instrument
    if not tables:
        why = "; ".join(refused) or "it holds no instrument"
        raise CaptureError(f"{source.name}: nothing can be planted ({why}). Name a capture of books and trades.")
    (_write_table if source.suffix == ".parquet" else _write_lines)(source, target, changes)
    return Planted(pl.concat(tables), instruments)


def truth_text(planted: Planted, file: str, seed: int) -> bytes:
    """The file of truth as JSON: episodes with prices and sizes as numbers, times in ns UTC."""
    rows = planted.truth.to_dicts()
    for row in rows:
        instrument = planted.instruments[row["instrument"]]
        row["prices"] = [instrument.price(price) for price in row["prices"]]
        row["sizes"] = [instrument.size(size) for size in row["sizes"]]
    return orjson.dumps({"file": file, "seed": seed, "episodes": rows}, option=orjson.OPT_INDENT_2) + b"\n"


def read_events(chain: CaptureSequence, instrument: Instrument) -> tuple[BookStream, TradeStream]:
    """The book events and trades of an instrument in captures."""
    found = _read(chain, instrument, "")
    return found.books, found.trades


class _Changes:
    """What becomes of the lines of a file, by offset."""

    def __init__(self) -> None:
        self.replaced: dict[int, Doc] = {}
        self.before: dict[int, list[tuple[int, Doc]]] = {}
        """Frames to insert before a line, each with the offset of a line whose connection it shares."""
        self.dropped = set[int]()

    def insert(self, before: int, like: int, doc: Doc) -> None:
        """A frame on the connection of the line at `like`."""
        self.before.setdefault(before, []).append((like, doc))


def _read(chain: CaptureSequence, instrument: Instrument, own: str) -> _Source:
    decoder = Decoder(instrument)
    log = EventLog()
    found = _Source(instrument, *log.streams(), [], {}, [], [])
    for arrival, arrived in enumerate(chain.frames(instrument.id)):
        offset = arrived.frame.offset if arrived.source_sha256 == own else OF_ANOTHER_FILE
        kind = decoder.dialect.kind(arrived.doc)
        for event in decoder.offer(arrived.doc, arrived.frame.recv_ts):
            if isinstance(event, BookEvent):
                log.book(arrival, arrived.frame.recv_ts, event)
                found.lines_of.append(offset)
                if offset >= 0 and kind == "book" and not event.flags & TIME:
                    found.docs[offset] = arrived.doc
            elif isinstance(event, TradeEvent):
                log.trades(arrival, arrived.frame.recv_ts, event)
                if offset >= 0:
                    found.trade_lines.append((offset, arrived.doc))
        if offset >= 0 and kind in ("book", "trade"):
            found.moving.append((decoder.clock.watermark, offset))
    books, trades = log.streams()
    return found._replace(books=books, trades=trades)


def _change(source: _Source, episodes: Sequence[Episode], changes: _Changes) -> None:
    """Note what the episodes change of an instrument's lines."""
    venue = _VENUES[source.instrument.venue]
    written = _Written(source)
    for message, side, price, size, _ in zip(*(c.tolist() for c in edits_of(source.books, episodes)), strict=True):
        offset = source.lines_of[message]
        doc = changes.replaced.setdefault(offset, source.docs[offset])
        levels = venue.levels(doc, side)
        text = written.price(price)
        for level in levels:
            if float(level[0]) == float(text):
                level[1] = written.size(size)
                break
        else:
            levels.append(venue.level(text, written.size(size)))
    like, template = source.trade_lines[0]
    ids = venue.free_ids([doc for _, doc in source.trade_lines])
    marks = np.array([mark for mark, _ in source.moving], np.int64)
    for k, trade in enumerate(sorted(trade for episode in episodes for trade in episode.trades)):
        before = source.moving[min(int(np.searchsorted(marks, trade.ts)), len(marks) - 1)][1]
        doc = venue.trade(orjson.loads(orjson.dumps(template)), trade, written, ids, k)
        changes.insert(before, like, doc)
    for episode in episodes:
        if episode.reset is not None:
            _lose(source, episode.reset, changes, written)


def edits_of(books: BookStream, episodes: Sequence[Episode]) -> Edits:
    """The levels that change in messages that stay: what a reset takes away needs no cancellation."""
    edits = overlay.edits(books, episodes)
    lost = np.zeros(len(books.ts) + 1, np.bool_)
    for episode in episodes:
        if episode.reset is not None:
            lost[slice(*_lost(books, episode.reset))] = True
    kept = ~lost[edits.message]
    return edits.part(kept)


def _lost(books: BookStream, reset: int) -> tuple[int, int]:
    """The messages that are lost at a reset: the first, and the one behind the last."""
    first = int(np.searchsorted(books.ts, reset, side="left"))
    return first, int(np.searchsorted(books.ts, reset + int(LOST_S * SECOND)))


def _lose(source: _Source, reset: int, changes: _Changes, written: "_Written") -> None:
    """Drop the book messages of a while, and put a snapshot of what is left in their place."""
    first, behind = _lost(source.books, reset)
    if first >= behind or behind >= len(source.lines_of):
        return
    changes.dropped.update(source.lines_of[first:behind])
    for offset in source.lines_of[first:behind]:
        changes.replaced.pop(offset, None)
    side, price, size = overlay.book_at(source.books, behind)
    order = np.argsort(-price * side, kind="stable")
    levels: dict[int, list[list[str]]] = {1: [], -1: []}
    for s, p, z in zip(side[order].tolist(), price[order].tolist(), size[order].tolist(), strict=True):
        levels[s].append([written.price(p), written.size(z)])
    last = source.docs[source.lines_of[behind - 1]]
    snapshot = _VENUES[source.instrument.venue].snapshot(orjson.loads(orjson.dumps(last)), levels[1], levels[-1])
    changes.insert(source.lines_of[behind], source.lines_of[behind], snapshot)


class _Written:
    """Prices and sizes as the file writes them."""

    def __init__(self, source: _Source) -> None:
        self.instrument = source.instrument
        venue = _VENUES[source.instrument.venue]
        level = next(level for doc in source.docs.values() for side in (1, -1) for level in venue.levels(doc, side))
        self.decimals = [
            max(len(text.partition(".")[2]), least)
            for text, least in zip(level[:2], source.instrument.decimals, strict=True)
        ]

    def price(self, units: int) -> str:
        """A price in units as text."""
        return _decimal(units, self.instrument.price_decimals, self.decimals[0])

    def size(self, units: int) -> str:
        """A size in units as text."""
        return _decimal(units, self.instrument.size_decimals, self.decimals[1])


def _decimal(units: int, have: int, want: int) -> str:
    text = str(units * 10 ** (want - have)).rjust(want + 1, "0")
    return f"{text[:-want]}.{text[-want:]}" if want else text


class _Binance:
    @staticmethod
    def levels(doc: Doc, side: int) -> list[list[str]]:
        return doc["data"]["b" if side > 0 else "a"]

    @staticmethod
    def level(price: str, size: str) -> list[str]:
        return [price, size]

    @staticmethod
    def free_ids(docs: Sequence[Doc]) -> int:
        """Where ids begin that no trade of the file has, far below the first."""
        first = min(int(doc["data"].get("t", doc["data"].get("a", 0))) for doc in docs)
        return first - BELOW if first > BELOW else 0

    @staticmethod
    def trade(doc: Doc, trade: PlantedTrade, written: _Written, first: int, k: int) -> Doc:
        data = doc["data"]
        number = first + k
        stamp = trade.ts // MS
        data |= {"p": written.price(trade.price), "q": written.size(trade.size), "m": trade.side < 0}
        data |= {"T": stamp, "E": stamp, "t" if data["e"] == "trade" else "a": number}
        if data["e"] == "aggTrade":
            data |= {"f": number, "l": number}
        return doc

    @staticmethod
    def snapshot(doc: Doc, bids: list[list[str]], asks: list[list[str]]) -> Doc:
        data = doc["data"]
        times = {"E": data["E"], "T": data["T"]} if "T" in data else {}
        return {"lastUpdateId": data["u"]} | times | {"bids": bids, "asks": asks}


class _Bybit:
    @staticmethod
    def levels(doc: Doc, side: int) -> list[list[str]]:
        return doc["data"]["b" if side > 0 else "a"]

    @staticmethod
    def level(price: str, size: str) -> list[str]:
        return [price, size]

    @staticmethod
    def free_ids(docs: Sequence[Doc]) -> int:
        return 0

    @staticmethod
    def trade(doc: Doc, trade: PlantedTrade, written: _Written, first: int, k: int) -> Doc:
        stamp = trade.ts // MS
        entry = doc["data"][0] | {
            "T": stamp,
            "S": "Buy" if trade.side > 0 else "Sell",
            "v": written.size(trade.size),
            "p": written.price(trade.price),
            "i": f"00000000-0000-4000-8000-{first + k:012d}",
        }
        return doc | {"ts": stamp, "data": [entry]}

    @staticmethod
    def snapshot(doc: Doc, bids: list[list[str]], asks: list[list[str]]) -> Doc:
        return doc | {"type": "snapshot", "data": doc["data"] | {"b": bids, "a": asks}}


class _Okx:
    @staticmethod
    def levels(doc: Doc, side: int) -> list[list[str]]:
        return doc["data"][-1]["bids" if side > 0 else "asks"]

    @staticmethod
    def level(price: str, size: str) -> list[str]:
        return [price, size, "0", "1"]

    @staticmethod
    def free_ids(docs: Sequence[Doc]) -> int:
        first = min(int(entry["tradeId"]) for doc in docs for entry in doc["data"])
        return first - BELOW if first > BELOW else 0

    @staticmethod
    def trade(doc: Doc, trade: PlantedTrade, written: _Written, first: int, k: int) -> Doc:
        entry = doc["data"][0] | {
            "tradeId": str(first + k),
            "px": written.price(trade.price),
            "sz": written.size(trade.size),
            "side": "buy" if trade.side > 0 else "sell",
            "ts": str(trade.ts // MS),
        }
        return doc | {"data": [entry]}

    @staticmethod
    def snapshot(doc: Doc, bids: list[list[str]], asks: list[list[str]]) -> Doc:
        whole = {"bids": [[*level, "0", "1"] for level in bids], "asks": [[*level, "0", "1"] for level in asks]}
        return doc | {"action": "snapshot", "data": [doc["data"][-1] | whole | {"prevSeqId": -1}]}


_VENUES: dict[str, type[_Binance] | type[_Bybit] | type[_Okx]] = {
    **dict.fromkeys(binance.VENUES, _Binance),
    **dict.fromkeys(bybit.VENUES, _Bybit),
    **dict.fromkeys(okx.VENUES, _Okx),
}


def _write_lines(source: Path, target: Path, changes: _Changes) -> None:
    likes = {like for added in changes.before.values() for like, _ in added}
    wrapped = {offset: line for offset, line, *_ in lines.lines(source) if offset in likes and line.startswith(b"{")}
    kind = {".gz": "gzip", ".zst": "zstd"}.get(target.suffix)
    staged = target.with_name(f".{target.name}")
    with pa.output_stream(str(staged), compression=kind) as sink:
        for item in lines.lines(source):
            offset, line = item[:2]
            for like, doc in changes.before.get(offset, ()):
                sink.write(_line(wrapped.get(like, line), line, doc))
            if offset in changes.replaced:
                line = _line(line, line, changes.replaced[offset])
            if offset not in changes.dropped:
                sink.write(line)
    staged.replace(target)


def _line(like: bytes, now: bytes, doc: Doc) -> bytes:
    """A frame as a line on the connection of another, received when a third one was."""
    text = orjson.dumps(doc)
    if not like.startswith(b"{"):
        return now[: now.index(b" ") + 1] + text + b"\n"
    return orjson.dumps(orjson.loads(like) | {"ts": orjson.loads(now)["ts"], "data": text.decode()}) + b"\n"


def _write_table(source: Path, target: Path, changes: _Changes) -> None:
    rows = addresses.scan(source).collect()
    found: list[dict[str, Any]] = []
    conns = rows["conn"].to_list()
    for offset, row in enumerate(rows.iter_rows(named=True)):
        for like, doc in changes.before.get(offset, ()):
            found.append(row | {"conn": conns[like], "payload": orjson.dumps(doc)})
        if offset in changes.replaced:
            row["payload"] = orjson.dumps(changes.replaced[offset])
        if offset not in changes.dropped:
            found.append(row)
    staged = target.with_name(f".{target.name}")
    pl.DataFrame(found, schema=rows.schema).write_parquet(staged, compression="zstd")
    staged.replace(target)
