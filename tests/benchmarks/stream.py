"""The stream that all book engines replay: the recorded BTCUSDT minutes, several times over, in each engine's own form.

Every copy starts with its snapshot, so no engine sees a price jump backwards. Preparing the input is not measured.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.core.instruments import Instrument
from ml.market.book.layout import BookStream, TradeStream
from ml.market.days.infer_instrument import infer_instrument
from ml.market.decode.decoder import Decoder
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import SNAPSHOT, TIME
from ml.market.files.capture_sequence import link
from ml.market.files.index import scan

COPY_NS = 481 * 10**9


@dataclass(frozen=True)
class Recorded:
    """The stream once, and its instrument."""

    instrument: Instrument
    books: BookStream
    trades: TradeStream


def recorded(market: Path) -> Recorded:
    """Decode the two BTCUSDT files; from the snapshot on."""
    chain = link(sorted((market / "binance_raw").glob("*btcusdt*")), lambda path: scan(path)[0])
    instrument = infer_instrument(chain, chain.instruments()[0])
    decoder = Decoder(instrument)
    log = EventLog()
    for arrival, arrived in enumerate(chain.frames(instrument.id)):
        for event in decoder.offer(arrived.doc, arrived.frame.recv_ts):
            if hasattr(event, "message"):
                log.book(arrival, 0, event)
            elif hasattr(event, "trades"):
                log.trades(arrival, 0, event)
    return Recorded(instrument, *_from_snapshot(*log.streams()))


def copies(stream: Recorded, n: int) -> Recorded:
    """The stream n times, one copy after the other."""
    books = stream.books
    trades = stream.trades
    arrivals = int(max(books.arrival[-1], trades.arrival[-1])) + 1
    rows = int(books.end[-1])

    def tile(values: np.ndarray, step: int = 0) -> np.ndarray:
        return np.concatenate([values + k * step for k in range(n)]).astype(values.dtype)

    return Recorded(
        stream.instrument,
        BookStream(
            tile(books.ts, COPY_NS),
            tile(books.arrival, arrivals),
            tile(books.flags),
            tile(books.end, rows),
            tile(books.side),
            tile(books.price),
            tile(books.size),
        ),
        TradeStream(
            tile(trades.ts, COPY_NS),
            tile(trades.arrival, arrivals),
            tile(trades.flags),
            tile(trades.side),
            tile(trades.price),
            tile(trades.size),
        ),
    )


def level_updates(stream: Recorded) -> int:
    """Level rows, snapshots included: what every engine has to apply."""
    return len(stream.books.side)


def _from_snapshot(books: BookStream, trades: TradeStream) -> tuple[BookStream, TradeStream]:
    kept = np.flatnonzero(books.flags & TIME == 0)
    kept = kept[kept >= np.flatnonzero(books.flags & SNAPSHOT)[0]]
    start = np.concatenate([[0], books.end[:-1]])
    rows = np.concatenate([np.arange(start[k], books.end[k]) for k in kept])
    rows = rows[books.side[rows] != 0]
    filled = np.array([(books.side[start[k] : books.end[k]] != 0).sum() for k in kept])
    after = trades.arrival > books.arrival[kept[0]]
    return BookStream(
        np.maximum.accumulate(books.ts[kept]),
        books.arrival[kept],
        books.flags[kept],
        np.cumsum(filled),
        books.side[rows],
        books.price[rows],
        books.size[rows],
    ), TradeStream(*(column[after] for column in trades))
