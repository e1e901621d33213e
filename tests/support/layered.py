"""A small quiet market with layers, as the kernel's streams: every message and trade is chosen by the test."""

from pathlib import Path

import numpy as np

from ml.core.instruments import Instrument
from ml.core.versions import LAYERING, code_version
from ml.layering.features import NAMES
from ml.layering.model import CueCard, CueModel
from ml.learning.models.trees import Trees
from ml.market.book.layout import BookStream, TradeStream
from ml.market.decode.events import CLEAR, SNAPSHOT

INSTRUMENT = Instrument("sim.SIMUSDT", 1, 3, 1, 1)
MS = 10**6
START = 1_740_960_000 * 10**9
TOUCH = 100
"""Size at the best prices, hence S."""
BID, ASK = 10_000, 10_001
STEP_MS = 50


CARD = CueCard(NAMES, ((2.0, 0.5), (1.0, 0.7)), 2.0, 1.0, 1, 1, "nothing", code_version(LAYERING))


def stump(feature: str, threshold: float, small: float, large: float) -> CueModel:
    """A scorer that looks at one feature alone; its sums are `small` up to the threshold and `large` beyond."""
    trees = Trees(
        feature=np.array([NAMES.index(feature)]),
        threshold=np.array([threshold]),
        children=np.array([[~0, ~1]]),
        leaves=np.array([small, large]),
        roots=np.array([0]),
    )
    return CueModel(trees, CARD, "")


class Script:
    """Messages every 50 ms and trades, in the order of their arrival."""

    def __init__(self, seconds: float, seed: int = 0, start: int = START) -> None:
        self.start = start
        rng = np.random.default_rng(seed)
        self.rows: dict[int, list[tuple[int, int, int]]] = {}
        self.trades: list[tuple[int, int, int, int]] = []
        for k in range(1, int(seconds * 1000 / STEP_MS)):
            side = int(rng.choice([1, -1]))
            price = (BID - int(rng.integers(30, 60))) if side > 0 else (ASK + int(rng.integers(30, 60)))
            self.rows[k] = [(side, price, int(rng.integers(1, 20)))]

    def level(self, ms: float, side: int, price: int, size: int) -> None:
        """Set a level in the first message at or after a time."""
        self.rows[-(-int(ms) // STEP_MS)].append((side, price, size))

    def order(self, side: int, price: int, size: int, born_ms: float, gone_ms: float) -> None:
        """An order alone at its price."""
        self.level(born_ms, side, price, size)
        self.level(gone_ms, side, price, 0)

    def trade(self, ms: float, aggressor: int, price: int, size: int) -> None:
        """A trade that arrives before the message after it."""
        self.trades.append((int(ms), aggressor, price, size))

    def streams(self) -> tuple[BookStream, TradeStream]:
        """The streams; the first message is a snapshot."""
        book = [(1, BID, TOUCH), (1, BID - 1, 30), (-1, ASK, TOUCH), (-1, ASK + 1, 30)]
        book += [(1, BID - k, 5) for k in range(30, 60)] + [(-1, ASK + k, 5) for k in range(30, 60)]
        messages = [book, *(self.rows[k] for k in sorted(self.rows))]
        side, price, size = np.array([row for rows in messages for row in rows], np.int64).T
        count = len(messages)
        flags = np.zeros(count, np.int64)
        flags[0] = SNAPSHOT | CLEAR
        books = BookStream(
            self.start + np.arange(count) * STEP_MS * MS,
            2 * np.arange(count) + 1,
            flags,
            np.cumsum([len(rows) for rows in messages]),
            side.astype(np.int8),
            price.copy(),
            size.copy(),
        )
        trades = np.array(sorted(self.trades), np.int64).reshape(-1, 4)
        ms, aggressor, at, lots = trades.T
        return books, TradeStream(
            self.start + ms * MS,
            2 * (-(-ms // STEP_MS)),
            np.zeros(len(ms), np.uint8),
            aggressor.astype(np.int8),
            at.copy(),
            lots.copy(),
        )


def layered(seconds: float = 75, size: int = 200, start: int = START) -> Script:
    """Three bid layers of twice S from 70 s on, pulled together at 72 s, 100 ms after a buy."""
    script = Script(seconds, start=start)
    for k in range(3):
        script.order(1, BID - 5 - k, size, 70_000 + 100 * k, 72_000)
    script.trade(71_900, 1, ASK, 10)
    script.level(71_900, -1, ASK, TOUCH - 10)
    return script


def frames(
    script: Script, trades: bool = True, diffs: bool = True, levels: int = 100, last_id: int = 0
) -> list[tuple[int, bytes]]:
    """The script as the simulated venue's frames: receive time (ns) and JSON.

    `levels` per side of a book are shown; ids of updates and trades follow `last_id`.
    """
    books, trade_rows = script.streams()
    found: list[tuple[int, int, str]] = []
    start = 0
    for k, end in enumerate(books.end.tolist()):
        rows = list(zip(*(column[start:end].tolist() for column in (books.side, books.price, books.size)), strict=True))
        start = end
        ms = int(books.ts[k]) // MS
        bids, asks = (
            ",".join(f'["{p / 10:.1f}","{s / 1000:.3f}"]' for s_, p, s in rows if s_ == side) for side in (1, -1)
        )
        if k == 0:
            best = sorted((row for row in rows if row[0] > 0), key=lambda row: -row[1])[:levels]
            best += sorted((row for row in rows if row[0] < 0), key=lambda row: row[1])[:levels]
            bids, asks = (
                ",".join(f'["{p / 10:.1f}","{s / 1000:.3f}"]' for s_, p, s in best if s_ == side) for side in (1, -1)
            )
            text = f'{{"lastUpdateId":{last_id + k + 1},"E":{ms},"T":{ms},"bids":[{bids}],"asks":[{asks}]}}'
            found.append((int(books.arrival[k]), ms, text))
            bids = asks = ""
        if diffs:
            text = (
                f'{{"stream":"sim/simusdt@depth","data":{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"SIMUSDT",'
                f'"U":{last_id + k + 1},"u":{last_id + k + 1},"pu":{last_id + k},"b":[{bids}],"a":[{asks}]}}}}'
            )
            found.append((int(books.arrival[k]), ms, text))
    for k in range(len(trade_rows.ts) if trades else 0):
        ms = int(trade_rows.ts[k]) // MS
        number = last_id + k + 1
        text = (
            f'{{"stream":"sim/simusdt@trade","data":{{"e":"trade","E":{ms},"T":{ms},"s":"SIMUSDT","t":{number},'
            f'"p":"{trade_rows.price[k] / 10:.1f}","q":"{trade_rows.size[k] / 1000:.3f}","X":"MARKET",'
            f'"m":{"true" if trade_rows.side[k] < 0 else "false"}}}}}'
        )
        found.append((int(trade_rows.arrival[k]), ms, text))
    found.sort(key=lambda frame: frame[0])
    return [(script.start + frame[0] * 25 * MS + k, frame[2].encode()) for k, frame in enumerate(found)]


def write(path: Path, given: list[tuple[int, bytes]]) -> Path:
    """Frames as a capture file."""
    path.write_bytes(b"".join(b"%d %s\n" % frame for frame in given))
    return path
