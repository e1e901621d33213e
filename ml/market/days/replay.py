"""Replays captures without storing anything, for the summary per instrument that `lobforge inspect` shows.

Stored days belong to `ml.market.days.day`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

from ml.core.errors import FrameError, InstrumentError
from ml.core.instruments import Instrument
from ml.market.book import layout
from ml.market.book.feed import Feed
from ml.market.book.ladder import best, count
from ml.market.book.sampler import Sampler
from ml.market.days.infer_instrument import FINEST, infer_instrument
from ml.market.files.capture_sequence import CaptureSequence, link
from ml.market.files.frame_routing import Line
from ml.market.files.index import FileIndex, scan
from ml.market.venues.dialects import BOOK, SNAPSHOT_ASKED

TOLD = 1_000
"""Frames between two words about how far the replay is."""


def inspect(paths: Sequence[Path], tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Instruments, set-aside lines and frames that are not read of capture files, in any order.

    `tell` is told now and then how far it is.

    Times are ns UTC, prices are in quote currency; `end` of a gap is null where no snapshot came later, and the book
    is then unknown: it has no prices and no levels. Captures without a frame of a book have no gaps of it.

    Raises:
        CaptureError: nothing could be read.
        InstrumentError: a venue is not supported.
    """
    found: dict[str, tuple[Path, list[Line]]] = {}
    preparing = Thread(target=_prepare)

    def scanned(path: Path, count: int) -> None:
        if preparing.ident is None:  # not before something is read: it delays the end of the process
            preparing.start()
        tell(f"{path.name}: {count:,} frames read")

    def index(path: Path) -> FileIndex:
        summary, lines = scan(path, partial(scanned, path))
        found[summary.sha256] = (path, lines)
        return summary

    chain = link(paths, index)
    quarantined = [_quarantined(path, line.offset, line.error) for path, lines in found.values() for line in lines]
    instruments: dict[str, Any] = {}
    for instrument_id in chain.instruments():
        count = sum(index.instruments[instrument_id].frames for _, index in chain.of(instrument_id).files)
        instrument = _inferred(chain, instrument_id, _counting(tell, f"{instrument_id}: decimals of", count))
        summary, refused = _replay(chain, instrument, _counting(tell, f"{instrument_id}: replayed", count))
        instruments[instrument_id] = summary | {"streams": chain.streams(instrument_id)}
        quarantined += [_quarantined(found[sha][0], offset, error) for sha, offset, error in refused]
    return {"instruments": instruments, "quarantined": quarantined, "not_read": chain.not_read()}


def _prepare() -> None:
    """Have the kernel compiled, or loaded, while files are read."""
    Sampler().run()


def _counting(tell: Callable[[str], None], what: str, total: int) -> Callable[[int], None]:
    return lambda count: tell(f"{what} {count:,} of {total:,} frames")


def _inferred(chain: CaptureSequence, instrument_id: str, tell: Callable[[int], None]) -> Instrument:
    try:
        return infer_instrument(chain, instrument_id, tell)
    except InstrumentError:  # no price or no size: the finest decimals refuse nothing that the captures hold
        return Instrument(instrument_id, price_decimals=FINEST, size_decimals=FINEST, tick=1, lot=1)


def _replay(
    chain: CaptureSequence, instrument: Instrument, tell: Callable[[int], None]
) -> tuple[dict[str, Any], list[tuple[str, int, FrameError]]]:
    feed = Feed.of(instrument)
    refused: list[tuple[str, int, FrameError]] = []
    latencies: list[int] = []
    has_book = False
    dialect = feed.decoder.dialect
    for k, arrived in enumerate(chain.frames(instrument.id)):
        if k % TOLD == 0:
            tell(k)
        has_book |= dialect.kind(arrived.doc) in (BOOK, SNAPSHOT_ASKED)
        refused += [
            (arrived.source_sha256, arrived.frame.offset, e) for e in feed.offer(arrived.doc, arrived.frame.recv_ts)
        ]
        try:
            latencies.append(arrived.frame.recv_ts - dialect.event_ts(arrived.doc))
        except FrameError:
            continue  # a frame without time has no latency
    tally = feed.decoder.tally
    book = feed.sampler.state.book
    known = feed.known
    kinds = feed.sampler.spans[:, 4]
    return {
        "book_messages": tally.book_messages,
        "level_updates": tally.level_updates,
        "trades": tally.trades,
        "off_market_trades": tally.off_market_trades,
        "best_bid": (instrument.price(best(book, 0)) or None) if known else None,
        "best_ask": (instrument.price(best(book, 1)) or None) if known else None,
        "bid_levels": count(book, 0) if known else 0,
        "ask_levels": count(book, 1) if known else 0,
        "gaps": feed.gaps() if has_book else [],
        "crossed": int((kinds == layout.CROSSED_BREAK).sum()),
        "first_event_ts": feed.first_ts or None,
        "last_event_ts": feed.decoder.clock.watermark or None,
        "median_latency_ms": round(median(latencies) / 1e6, 3) if latencies else None,
        "dropped_before_snapshot": tally.dropped_before_snapshot,
    }, refused


def _quarantined(path: Path, offset: int, error: FrameError) -> dict[str, Any]:
    return {"file": path.name, "offset": offset, "reason": error.reason, "detail": error.detail}
