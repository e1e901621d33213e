"""The layering detector: level updates a second in memory, live messages one by one, and a whole day from its tables.

The stream is the recorded BTCUSDT minutes, several times over. Beside it recall and false alarms of the public package
`lobflow`, in an environment of its own, on simulated markets. `python -m tests.benchmarks layering` measures the first.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, thread_time_ns

import numpy as np
import polars as pl

from ml.features.pressure.rows import Pressure
from ml.layering.calibration import kept
from ml.layering.detector import shipped_detector
from ml.layering.finder import Flow
from ml.layering.matching import NONE, hits
from ml.layering.training import PER_HOUR
from ml.market.book.layout import COLUMNS, I64, VALID, BookStream, TradeStream
from ml.market.book.sampler import Sampler
from ml.market.decode.events import LAST
from ml.simulation.episodes import LAYERING
from ml.simulation.streams import TEST, planted, unplanted
from ml.tables.schemas import LEVELS
from tests.benchmarks import peers
from tests.benchmarks.goals import PREDECESSOR
from tests.benchmarks.stream import COPY_NS, Recorded, copies, level_updates, recorded

COPIES = 8
RUNS = 5
DAY_HOURS = 24.0
SNAPSHOT_NS = 250 * 10**6
LOBFLOW = """
import json, sys
import numpy as np
from lobflow import ManipulationDetector, OrderBook
rows = np.load(sys.argv[1])
book = OrderBook("X", max_depth=20)
detector = ManipulationDetector(book)
said = []
for row in rows:
    sides = [[(float(p), float(s)) for p, s in zip(row[1 + k : 21 + k], row[21 + k : 41 + k]) if p] for k in (0, 40)]
    book.update(*sides, timestamp=float(row[0]) / 1e9)
    for result in (detector.check_layering(), detector.check_spoofing()):
        if result:
            said.append([int(row[0]), 1 if result.evidence["side"] == "bids" else -1])
print(json.dumps(said))
"""
PEERS = {
    PREDECESSOR: 2_279.0,
    "three million": 3e6,
    "two hundred microseconds": 200.0,
    "a minute": 60.0,
    "two gigabytes": 2.0,
}


def measure(market: Path, hours: float = DAY_HOURS) -> dict[str, float]:
    """Rates, the time of a live message, and a day's seconds and memory; goals in absolute figures stand beside."""
    once = recorded(market)
    command = [sys.executable, "-m", "tests.benchmarks.layering", str(market), str(hours)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return rates(copies(once, COPIES)) | live(once) | json.loads(done.stdout.splitlines()[-1]) | PEERS


def beside_lobflow(seconds: int = 1800) -> dict[str, float]:
    """Recall of planted episodes of two best sizes and more, and alarms an hour of the same market unplanted.

    The peer sees the 20 best levels four times a second, and says layering or spoofing with its own threshold. Ours are
    the cues of the shipped trees at the simulator's threshold.
    """
    stream = planted(TEST, 0, tuple(LAYERING), PER_HOUR * seconds // 3600, seconds)
    calm = unplanted(TEST, 0, seconds)
    truth = stream.truth.filter(pl.col("m") >= 2)
    flows = [Flow(stream.instrument, one.books, one.trades) for one in (stream, calm)]
    found = {"lobforge": [_cues(flow) for flow in flows]}
    try:
        python = peers.python_of("lobflow", "lobflow==0.1.0")
        found["lobflow"] = [_lobflow(python, flow) for flow in flows]
    except peers.Unreachable as error:
        print(f"lobflow: skipped: {error}")
    measured = dict[str, float]()
    for name, ((ts, side), (false_ts, false_side)) in found.items():
        measured[f"{name}, recall"] = len(set(hits(ts, side, truth).tolist()) - {NONE}) / truth.height
        rows = kept(false_ts, false_side, np.ones(len(false_ts), bool))
        measured[f"{name}, false alarms an hour"] = len(rows) * 3600 / seconds
    return measured


def _cues(flow: Flow) -> tuple[I64, I64]:
    cues = shipped_detector(flow.instrument).take(flow.books, flow.trades)
    return np.array([cue.end for cue in cues], np.int64), np.array([1 if cue.side == "bid" else -1 for cue in cues])


def _lobflow(python: Path, flow: Flow) -> tuple[I64, I64]:
    """Times and sides at which the package is more than half sure."""
    sampler = Sampler(period_ns=SNAPSHOT_NS)
    sampler.run(flow.books, flow.trades)
    rows = sampler.samples
    known = rows[rows[:, VALID] == 1][:, : 1 + 4 * LEVELS]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "snapshots.npy"
        np.save(path, known)
        said = peers.times(python, LOBFLOW, str(path))
    ts, side = np.array(said, np.int64).reshape(-1, 2).T
    return ts, side


def rates(stream: Recorded) -> dict[str, float]:
    """Level updates per second of processor, medians: cues, spoofing pressure; the first run compiles."""
    contenders = {
        "layering, cues": lambda: shipped_detector(stream.instrument).take(stream.books, stream.trades),
        "layering, spoofing pressure": lambda: list(Pressure(stream.instrument).take(stream.books, stream.trades)),
    }
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(RUNS + 1):
        for name, run in contenders.items():
            started = process_time()
            run()
            taken[name].append(process_time() - started)
    count = level_updates(stream)
    return {f"{name}: level updates/s": count / float(np.median(times[1:])) for name, times in taken.items()}


def live(stream: Recorded) -> dict[str, float]:
    """Microseconds of processor of one message or trade frame, from its arrays to its cues: median and p99."""
    detector = shipped_detector(stream.instrument)
    detector.prepare()
    events = list(_one_by_one(stream))
    times = list[int]()
    for books, trades in events:
        started = thread_time_ns()
        detector.take(books, trades)
        times.append(thread_time_ns() - started)
    found = np.array(times[len(times) // 4 :]) / 1e3
    return {
        "layering, live message, median us": float(np.median(found)),
        "layering, live message, p99 us": float(np.quantile(found, 0.99)),
    }


def _one_by_one(stream: Recorded) -> list[tuple[BookStream, TradeStream]]:
    """Each message and each frame of trades alone, in the order of arrival."""
    books, trades = stream.books, stream.trades
    nothing = (_part(books, 0, 0), trades.part(slice(0)))
    found: list[tuple[int, int, tuple[BookStream, TradeStream]]] = []
    for k in range(len(books.ts)):
        found.append((int(books.arrival[k]), 1, (_part(books, k, k + 1), nothing[1])))
    edges = np.flatnonzero(np.diff(trades.arrival, prepend=-1, append=-1))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        found.append((int(trades.arrival[first]), 0, (nothing[0], trades.part(slice(first, last)))))
    return [event for _, _, event in sorted(found, key=lambda one: one[:2])]


def _part(books: BookStream, start: int, stop: int) -> BookStream:
    first = int(books.end[start - 1]) if start else 0
    last = int(books.end[stop - 1]) if stop > start else first
    head = [column[start:stop] for column in books[:3]]
    return BookStream._make([*head, books.end[start:stop] - first, *(column[first:last] for column in books[4:])])


def day(market: Path, hours: float) -> dict[str, float]:
    """Seconds and peak memory of the cues of a stored day, its tables written before; once for compiling."""
    from ml.layering.days import cues_of_day
    from ml.market.days.tables import BOOK
    from ml.storage.parquet import Stored

    once = recorded(market)
    with TemporaryDirectory() as folder:
        before = np.zeros((0, COLUMNS), np.int64)
        for count in (1, max(round(hours * 3600e9 / COPY_NS), 1)):
            path, trades = _tables(once, count, Path(folder))
            stored = Stored(path)
            started, processor = perf_counter(), process_time()
            cues_of_day(stored.parts(*BOOK), pl.read_parquet(trades), before, once.instrument)
            took, worked = perf_counter() - started, process_time() - processor
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return {
        "layering, a stored day: M level updates": count * level_updates(once) / 1e6,
        "layering, a stored day, s": took,
        "layering, a stored day, s of processor": worked,
        "layering, a stored day, GB at most": int(peak) / 1e6,
    }


def _tables(once: Recorded, count: int, folder: Path) -> tuple[Path, Path]:
    """`book_events` and `trades` of copies in a row, written copy by copy so that no memory holds the day."""
    from ml.storage.parquet import Parts, write
    from ml.tables.schemas import SCHEMAS

    books, trades = once.books, once.trades
    arrivals = int(max(books.arrival[-1], trades.arrival[-1])) + 1
    rows = np.diff(books.end, prepend=0)
    flags = np.repeat(books.flags, rows).astype(np.int64)
    flags[books.end - 1] |= LAST
    schema = {name: SCHEMAS["book_events"][name] for name in ("arrival", "event_ts", "side", "price", "size", "flags")}
    day_start = int(books.ts[0]) // (86_400 * 10**9) * 86_400 * 10**9
    shift = day_start + 10**9 - int(books.ts[0])

    def part(k: int) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "arrival": np.repeat(books.arrival, rows) + k * arrivals,
                "event_ts": np.repeat(books.ts, rows) + k * COPY_NS + shift,
                "side": books.side,
                "price": books.price,
                "size": books.size,
                "flags": flags,
            }
        ).cast(dict(schema))  # type: ignore[arg-type]

    path = folder / f"book_events_{count}.parquet"
    with path.open("wb") as sink:
        write(Parts(pl.Schema(schema), (part(k) for k in range(count))), sink)
    columns = ("arrival", "event_ts", "side", "price", "size", "flags")
    prints = [
        pl.DataFrame(
            {
                "arrival": trades.arrival + k * arrivals,
                "event_ts": trades.ts + k * COPY_NS + shift,
                "side": trades.side,
                "price": trades.price,
                "size": trades.size,
                "flags": trades.flags,
            }
        ).select(columns)
        for k in range(count)
    ]
    to = folder / f"trades_{count}.parquet"
    pl.concat(prints).write_parquet(to)
    return path, to


if __name__ == "__main__":
    print(json.dumps(day(Path(sys.argv[1]), float(sys.argv[2]))))
