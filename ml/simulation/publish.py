"""Simulated markets as a venue shows them: raw frames in capture files, or the kernel's arrays.

Here: the frames (Binance USD-M dialect, stream names that start with `sim/`), their latencies, the injected outage, the
files; and a short cut to the kernel for tests that need many markets.
Not here: the markets (`ml.simulation.venue`, `ml.simulation.exchange`), how frames are read (`ml.market`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.market.book.layout import BookStream, TradeStream
from ml.market.decode.events import CLEAR, SNAPSHOT
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.venue import PUBLISH_STEPS, STEP_MS, History

PUBLISH_MS = PUBLISH_STEPS * STEP_MS
MS = 10**6
FIRST_ID = 1_000_000
LOST_IDS = 1_000
"""Ids that a loss of the feed skips."""


@dataclass(frozen=True)
class Outage:
    """Frames between two times (seconds from the start) that the capture never received."""

    start: float
    seconds: float

    def __contains__(self, ms: float) -> bool:
        return self.start * 1000 <= ms < (self.start + self.seconds) * 1000


def frames(history: History, start_ns: int, seed: int, outages: tuple[Outage, ...] = ()) -> Iterator[tuple[int, bytes]]:
    """All frames as (receive time ns, JSON), in the order in which they arrive."""
    rng = np.random.default_rng(seed)
    start_ms = start_ns // MS
    arriving: list[tuple[int, bytes]] = []
    for ms, latency, text in (
        *_diffs(history, start_ms, rng),
        *_trades(history.trades, start_ms, rng),
        *_snapshots(history, start_ms, rng),
    ):
        if not any(ms + latency in outage for outage in outages):
            arriving.append((start_ns + int((ms + latency) * MS), text))
    arriving.sort(key=lambda item: item[0])
    yield from arriving


def stream_frames(
    books: BookStream, trades: TradeStream, seed: int, outages: tuple[Outage, ...] = ()
) -> Iterator[tuple[int, bytes]]:
    """Frames of streams of events as (receive time ns, JSON), in the order in which they arrive.

    A message that replaces the book is the answer to a request for it; the ids before it show that messages were lost.
    Outages count from the first message.
    """
    rng = np.random.default_rng(seed)
    start_ms = int(books.ts[0]) // MS
    arriving: list[tuple[int, bytes]] = []
    for ms, latency, text in (*_messages(books, rng), *_trades(_trade_rows(trades), 0, rng)):
        if not any(ms - start_ms + latency in outage for outage in outages):
            arriving.append((int((ms + latency) * MS), text))
    arriving.sort(key=lambda item: item[0])
    yield from arriving


def write_captures(folder: Path, stream: Iterator[tuple[int, bytes]]) -> list[Path]:
    """Write frames to one file per hour of receive time, zstd, named by venue, symbol and hour."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[Path, list[bytes]] = {}
    for recv_ns, text in stream:
        hour = datetime.fromtimestamp(recv_ns // 10**9, UTC).strftime("%Y%m%dT%H")
        path = folder / f"sim__{INSTRUMENT.symbol.lower()}_{hour}.jsonl.zst"
        written.setdefault(path, []).append(b"%d %s\n" % (recv_ns, text))
    for path, lines in written.items():
        staged = path.with_suffix(".part")
        with pa.output_stream(str(staged), compression="zstd") as sink:
            sink.write(b"".join(lines))
        staged.replace(path)
    return sorted(written)


def streams(history: History, start_ns: int) -> tuple[BookStream, TradeStream]:
    """The same market for the kernel: an anchor from the first publication on, no outage, no latency."""
    publication, side, tick, size = history.levels.T
    count = len(history.ids)
    end = np.searchsorted(publication, np.arange(count), side="right").astype(np.int64)
    book_ts = start_ns + (np.arange(count, dtype=np.int64) + 1) * PUBLISH_MS * MS
    ms, aggressor, price, lots = history.trades.T
    trade_ts = start_ns + ms * MS
    flags = np.zeros(count, np.int64)
    flags[0] = SNAPSHOT | CLEAR
    # arrival: trades before the publication of their interval
    books = BookStream(book_ts, 2 * np.arange(count) + 1, flags, end, side.astype(np.int8), tick.copy(), size.copy())
    arrival = 2 * (ms // PUBLISH_MS)
    order = np.argsort(trade_ts, kind="stable")
    return books, TradeStream(
        trade_ts[order],
        arrival[order],
        np.zeros(len(ms), np.uint8),
        aggressor[order].astype(np.int8),
        price[order],
        lots[order],
    )


def _diffs(history: History, start_ms: int, rng: np.random.Generator) -> Iterator[tuple[float, float, bytes]]:
    count = len(history.ids)
    end = np.searchsorted(history.levels[:, 0], np.arange(count), side="right")
    latency = 4 + rng.exponential(3.0, count)
    rows = history.levels[:, 1:].tolist()
    start = 0
    last = FIRST_ID - 1
    for k in range(count):
        first, final = (FIRST_ID + int(i) for i in history.ids[k])
        ms = (k + 1) * PUBLISH_MS
        yield ms, latency[k], _diff(start_ms + ms, (first, final, last), rows[start : end[k]])
        start = end[k]
        last = final


def _messages(books: BookStream, rng: np.random.Generator) -> Iterator[tuple[float, float, bytes]]:
    """Diffs and snapshots of a stream of events."""
    latency = 4 + rng.exponential(3.0, len(books.ts))
    rows = np.stack([books.side.astype(np.int64), books.price, books.size], axis=1).tolist()
    start = 0
    last = FIRST_ID - 1
    for k, (ts, end, flags) in enumerate(zip(books.ts.tolist(), books.end.tolist(), books.flags.tolist(), strict=True)):
        ms = ts // MS
        final = last + max(end - start, 1)
        if flags & SNAPSHOT:
            final += LOST_IDS
            yield ms, latency[k], _snapshot(ms, final, sorted(rows[start:end], key=lambda row: -row[0] * row[1]))
        elif not flags & CLEAR:
            yield ms, latency[k], _diff(ms, (last + 1, final, last), rows[start:end])
        start = end
        last = final


def _diff(stamp: int, ids: tuple[int, int, int], rows: list[list[int]]) -> bytes:
    """A frame of level changes: first and last id, and the last one of the frame before."""
    symbol = INSTRUMENT.symbol
    bids, asks = _levels(rows)
    return (
        f'{{"stream":"sim/{symbol.lower()}@depth","data":{{"e":"depthUpdate","E":{stamp + 1},'
        f'"T":{stamp},"s":"{symbol}","U":{ids[0]},"u":{ids[1]},"pu":{ids[2]},"b":[{bids}],"a":[{asks}]}}}}'
    ).encode()


def _trade_rows(trades: TradeStream) -> np.ndarray:
    return np.stack([trades.ts // MS, trades.side.astype(np.int64), trades.price, trades.size], axis=1)


def _trades(trades: np.ndarray, start_ms: int, rng: np.random.Generator) -> Iterator[tuple[float, float, bytes]]:
    latency = 4 + rng.exponential(3.0, len(trades))
    symbol = INSTRUMENT.symbol
    order = np.argsort(trades[:, 0], kind="stable")
    for k, (ms, side, tick, size) in enumerate(trades[order].tolist()):
        stamp = start_ms + ms
        text = (
            f'{{"stream":"sim/{symbol.lower()}@trade","data":{{"e":"trade","E":{stamp},"T":{stamp},'
            f'"s":"{symbol}","t":{FIRST_ID + k},"p":"{_price(tick)}","q":"{_size(size)}",'
            f'"X":"MARKET","m":{"true" if side < 0 else "false"}}}}}'
        )
        yield ms, latency[k], text.encode()


def _snapshots(history: History, start_ms: int, rng: np.random.Generator) -> Iterator[tuple[float, float, bytes]]:
    count = len(history.snapshot_ids)
    end = np.searchsorted(history.snapshots[:, 0], np.arange(count), side="right")
    rows = history.snapshots[:, 1:].tolist()
    start = 0
    for k in range(count):
        ms, update = (int(v) for v in history.snapshot_ids[k])
        side_rows = rows[start : end[k]]
        bids = [row for row in reversed(side_rows) if row[0] > 0]
        asks = [row for row in side_rows if row[0] < 0]
        # a request and its answer: some snapshots come before the diff that straddles them, some after
        yield ms, 60 + rng.exponential(120.0), _snapshot(start_ms + ms, FIRST_ID + update, bids + asks)
        start = end[k]


def _snapshot(stamp: int, last_id: int, rows: list[list[int]]) -> bytes:
    """The whole book, best levels first."""
    bids, asks = _levels(rows)
    return f'{{"lastUpdateId":{last_id},"E":{stamp},"T":{stamp},"bids":[{bids}],"asks":[{asks}]}}'.encode()


def _levels(rows: list[list[int]]) -> tuple[str, str]:
    bids = ",".join(f'["{_price(tick)}","{_size(size)}"]' for side, tick, size in rows if side > 0)
    asks = ",".join(f'["{_price(tick)}","{_size(size)}"]' for side, tick, size in rows if side < 0)
    return bids, asks


def _price(tick: int) -> str:
    return f"{tick // 10}.{tick % 10}"


def _size(lots: int) -> str:
    return f"{lots // 1000}.{lots % 1000:03d}"
