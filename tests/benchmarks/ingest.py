"""Raw captures into typed events, and stored events back into samples, on the recorded BTCUSDT files.

Ingest: from the compressed files to the kernel's arrays, book and trades, with every id, time and decimal checked;
hftbacktest's converter turns the same files into its own events. Storage: the events of the recorded day, repeated with
shifted times and ids as a stream goes on, through the commit protocol; then decoded, and run through the kernel.
"""

import io
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.market.book import kernel, layout
from ml.market.book.layout import BookStream, TradeStream
from ml.market.book.sampler import NO_TRADES
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.tables import book_stream
from ml.market.decode.eventlog import EventLog
from ml.market.decode.stream import Stream, arrivals
from ml.market.files.capture_sequence import CaptureSequence, link
from ml.market.files.index import scan
from ml.storage.commit import publish, read
from tests.support.days import decode_day, raw_day

UPDATES = 400_668
DAY = "2024-07-19"
COPIES = 8
COPY_NS = 500 * 10**9
COPY_IDS = 10**10
COLUMNS = ("arrival", "event_ts", "side", "price", "size", "flags")


def measure(market: Path, runs: int = 5) -> dict[str, float]:
    """Level updates per second of processor time: the median over interleaved runs."""
    files = sorted((market / "binance_raw").glob("*btcusdt*"))
    chain = link(files, lambda path: scan(path)[0])
    instrument = infer_instrument(chain, chain.instruments()[0])
    with TemporaryDirectory() as folder:
        stored, rows = _stored(DataRoot(Path(folder)), chain, instrument, COPIES)
        ready = book_stream(pl.read_parquet(io.BytesIO(stored), columns=list(COLUMNS)))
        contenders: dict[str, tuple[Callable[[], object], int]] = {
            "raw .gz to events": (lambda: _events(chain, instrument), UPDATES),
            "hftbacktest convert": (lambda: _converted(files), UPDATES),
            "decode of stored events": (lambda: _decoded(stored), rows),
            "kernel on events in memory": (lambda: _sampled(ready), rows),
            "stored events to samples": (lambda: _sampled(book_stream(_decoded(stored))), rows),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        with _one_core():
            for _ in range(runs + 1):
                for name, (contender, _) in contenders.items():
                    started = process_time()
                    contender()
                    times[name].append(process_time() - started)
    # the first run compiles
    found = {name: contenders[name][1] / float(np.median(taken[1:])) for name, taken in times.items()}
    apart = 1 / found["decode of stored events"] + 1 / found["kernel on events in memory"]
    return found | {"decode and kernel, each alone": 1 / apart}


def sizes(market: Path) -> dict[str, float]:
    """Bytes on disk of one level update, of the recorded day and of some copies of it in a row."""
    found: dict[str, float] = {}
    for symbol in ("btcusdt", "ethusdt"):
        chain = link(sorted((market / "binance_raw").glob(f"*{symbol}*")), lambda path: scan(path)[0])
        instrument = infer_instrument(chain, chain.instruments()[0])
        for copies in (1, COPIES):
            with TemporaryDirectory() as folder:
                stored, rows = _stored(DataRoot(Path(folder)), chain, instrument, copies)
            found[f"{symbol.upper()}, {copies} x {DAY}"] = len(stored) / rows
    return found


@contextmanager
def _one_core() -> Generator[None]:
    """All contenders on one core: two threads on two cores cost each other time that neither would take alone."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _events(chain: CaptureSequence, instrument: Instrument) -> tuple[BookStream, TradeStream]:
    stream = Stream.of(instrument)
    log = EventLog()
    count = 0
    for run in chain.runs(instrument.id, instrument.decimals):
        for _, error in stream.decode(run.frames, arrivals(count, run.length), log, run.read):
            raise error
        count += run.length
    assert stream.decoder.tally.level_updates == UPDATES
    return log.streams()


def _converted(files: list[Path]) -> None:
    from hftbacktest.data.utils import binancefutures

    with redirect_stdout(io.StringIO()):
        for path in files:
            binancefutures.convert(str(path))


def _stored(root: DataRoot, chain: CaptureSequence, instrument: Instrument, copies: int) -> tuple[bytes, int]:
    """The day's level rows as stored, and how many; each copy begins with the book that the day opens with."""
    events = decode_day(raw_day(chain, instrument, DAY), instrument, DAY).book_events
    ids = ("first_id", "last_id", "prev_id")
    times = ("event_ts", "send_ts", "recv_ts")
    arrived = int(events["arrival"].max()) + 2  # type: ignore[arg-type]
    parts = list[pl.DataFrame]()
    for k in range(copies):
        shifted = [pl.col(*ids) + k * COPY_IDS, pl.col(*times) + k * COPY_NS, pl.col("arrival") + k * arrived]
        parts.append(events.with_columns(*shifted))
    frame = pl.concat(parts)
    path = root.partition("book_events", DAY, instrument.id)
    publish(root, "book_events", path, frame, "")
    assert read(path).collect().equals(frame)
    return path.read_bytes(), frame.height


def _decoded(stored: bytes) -> pl.DataFrame:
    return pl.scan_parquet(stored).select(COLUMNS).collect()


def _sampled(books: BookStream) -> np.ndarray:
    room = int((books.ts[-1] - books.ts[0]) // SECOND) + 2
    state = layout.empty_state(SECOND, room)
    position = np.zeros(2, np.int64)
    assert kernel.run(state, layout.constant(books), layout.constant(NO_TRADES), position) == layout.DONE
    return state.samples[: state.meta[layout.CLOSED]]
