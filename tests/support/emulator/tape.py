"""Recorded frames for many symbols, rendered for the wire before the clock starts, so that sending is cheap.

Here: cutting the busiest interval out of a recording, spelling it for every symbol with ids that follow each other lap
after lap. Not here: sending it (`tests.support.emulator.load`).

Every symbol plays the same interval, each from another place in it: together they keep the recording's mean rate, and
their bursts do not all fall together.
"""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

import numpy as np

LAP = 6
STEP = 7
"""Digits of an update id: which lap, which message in it. A 1 stands before both: no JSON number begins with 0."""
IDS = re.compile(rb'"U":\d+,"u":\d+,"pu":\d+')
TIMES = re.compile(rb'"(E|T)":\d+')
MARK_PRICE = (
    b'{"stream":"%b@markPrice","data":{"e":"markPriceUpdate","E":1,"s":"%b","p":"1.0","i":"1.0","r":"0","T":1}}'
)


@dataclass
class Tape:
    """Frames in the order of sending, played over and over.

    Args:
        wire: all frames with their WebSocket headers.
        ends: where each frame ends in `wire`.
        due: when each frame is due, ns from the begin of a lap.
        period: length of a lap, ns.
        laps: where the lap's digits begin in `wire`, and where those of the lap before.
        books: numbers of the frames that are book messages, per symbol.
    """

    wire: bytearray
    ends: np.ndarray
    due: np.ndarray
    period: int
    laps: tuple[np.ndarray, np.ndarray]
    books: list[np.ndarray]

    def begin(self, lap: int) -> None:
        """Write the lap's digits into every update id."""
        content = np.frombuffer(self.wire, np.uint8)
        for number, places in zip((lap, lap - 1), self.laps, strict=True):
            digits = np.frombuffer(b"%0*d" % (LAP, number), np.uint8)
            content[places[:, None] + np.arange(LAP)] = digits

    def last_id(self, symbol: int, lap: int, sent: int) -> int:
        """The symbol's update id after so many frames of a lap."""
        books = self.books[symbol]
        step = int(np.searchsorted(books, sent)) - 1
        return int(_id(lap, step) if step >= 0 else _id(lap - 1, len(books) - 1))


def busiest(files: list[Path], seconds: float) -> tuple[np.ndarray, list[bytes]]:
    """The interval of a Binance recording that holds most frames: receive times from its begin in ns, and frames."""
    times = list[int]()
    frames = list[bytes]()
    for file in files:
        with gzip.open(file) as source:
            for line in source:
                stamp, _, frame = line.strip().partition(b" ")
                if frame.startswith(b'{"stream"'):
                    times.append(int(stamp))
                    frames.append(frame)
    stamps = np.maximum.accumulate(np.array(times))
    ends = np.searchsorted(stamps, stamps + int(seconds * 1e9))
    whole = stamps + int(seconds * 1e9) <= stamps[-1]
    first = int(np.argmax(np.where(whole, ends - np.arange(len(stamps)), -1)))
    return stamps[first : ends[first]] - stamps[first], frames[first : ends[first]]


def render(times: np.ndarray, frames: list[bytes], recorded: str, symbols: list[str], period: int) -> Tape:
    """The interval for every symbol, merged by time."""
    due = list[np.ndarray]()
    order = list[tuple[int, bytes, int]]()
    # one event time for all: those of the recording would go back at each lap
    now = b'"\\1":%d' % (time_ns() // 10**6)
    frames = [TIMES.sub(now, frame) for frame in frames]
    for number, symbol in enumerate(symbols):
        moved = (times + number * period // len(symbols)) % period
        turned = np.argsort(moved, kind="stable")
        due.append(moved[turned])
        order += _spelled(number, [frames[k] for k in turned], recorded, symbol)
    flat = np.concatenate(due)
    merged = np.argsort(flat, kind="stable")
    return _on_the_wire(flat[merged], [order[k] for k in merged], period)


def quiet(symbols: list[str]) -> Tape:
    """One mark price a second and symbol: what keeps the other connection from being silent."""
    frames = [(-1, MARK_PRICE % (name.lower().encode(), name.encode()), -1) for name in symbols]
    return _on_the_wire(np.arange(len(frames)) * (10**9 // len(frames)), frames, 10**9)


def _spelled(number: int, frames: list[bytes], recorded: str, symbol: str) -> Iterator[tuple[int, bytes, int]]:
    """Frames in the name of a symbol, their ids counted through; with the number of the book message, else -1."""
    steps = [k for k, frame in enumerate(frames) if IDS.search(frame)]
    last = len(steps) - 1
    before = -1
    for frame in frames:
        spelled = frame.replace(recorded.encode(), symbol.encode())
        spelled = spelled.replace(recorded.lower().encode(), symbol.lower().encode(), 1)
        if not (found := IDS.search(spelled)):
            yield -1, spelled, -1
            continue
        before += 1
        own = _id(0, before)
        prev = _id(0, before - 1 if before else last)
        ids = b'"U":%b,"u":%b,"pu":%b' % (own, own, prev)
        yield number, spelled[: found.start()] + ids + spelled[found.end() :], before


def _id(lap: int, step: int) -> bytes:
    return b"1%0*d%0*d" % (LAP, lap, STEP, step)


def _on_the_wire(due: np.ndarray, frames: list[tuple[int, bytes, int]], period: int) -> Tape:
    wire = bytearray()
    ends = list[int]()
    this_lap = list[int]()
    lap_before = list[int]()
    for _, frame, step in frames:
        wire += b"\x81" + (bytes([len(frame)]) if len(frame) < 126 else b"\x7e" + len(frame).to_bytes(2, "big"))
        if step >= 0:
            own, update, prev = (len(wire) + frame.index(key) + len(key) + 1 for key in (b'"U":', b'"u":', b'"pu":'))
            this_lap += [own, update]
            (this_lap if step else lap_before).append(prev)
        wire += frame
        ends.append(len(wire))
    laps = (np.array(this_lap, np.int64), np.array(lap_before, np.int64))
    owners = np.array([symbol for symbol, _, _ in frames])
    books = [np.flatnonzero(owners == symbol) for symbol in range(owners.max() + 1)]
    return Tape(wire, np.array(ends), due, period, laps, books)
