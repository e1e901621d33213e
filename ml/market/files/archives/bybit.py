"""Bybit's public archives: order book (`ob200`, `ob500`), trades of perpetuals, trades of spot.

Formats: https://quote-saver.bycsi.com/orderbook/<market>/<symbol>/<date>_<symbol>_ob<depth>.data.zip, whose lines are
those of the stream with the engine's time `cts`; https://public.bybit.com/trading/<symbol>/<symbol><date>.csv.gz and
https://public.bybit.com/spot/<symbol>/<symbol>_<date>.csv.gz. None keeps a receive time.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from ml.core.errors import FrameError
from ml.core.instruments import to_units
from ml.market.decode.events import BUY, SELL, RawFrame, known_ns, stamp_ns
from ml.market.decode.parse_errors import UNFIT, invalid
from ml.market.files.archives.messages import Item
from ml.market.files.archives.order import Key
from ml.market.files.archives.table import TRADE, File, Format, Row, TradeRow, one_of, spelled, whole_number
from ml.market.files.archives.tardis import bybit_contract
from ml.market.files.lines import Line, Torn

MARKETS = ("linear", "spot", "inverse")
SPOT_NAME = re.compile(r"(?P<symbol>.+)[_-](?P<date>\d{4}-\d{2}(-\d{2})?)\.csv.*")
TOPIC = re.compile(r"orderbook\.(?P<depth>\d+)\.(?P<symbol>.+)")
ENGINE_TIME = re.compile(rb'"cts": ?(\d{1,20})')
SEND_TIME = re.compile(rb'"ts": ?(\d{1,20})')
CONTRACT_DEPTH = "500"
"""Levels a side of an order book that spot does not have."""
SIDES = {"Buy": BUY, "Sell": SELL, "buy": BUY, "sell": SELL}


class PerpetualTrades(Format):
    """One row a trade, with the time in seconds; some files run backwards."""

    id = "bybit-trading"
    kind = TRADE
    clock = "timestamp"
    any_order = True
    whole_days = True
    columns = (
        "timestamp",
        "symbol",
        "side",
        "size",
        "price",
        "tickDirection",
        "trdMatchID",
        "grossValue",
        "homeNotional",
        "foreignNotional",
    )
    optional = ("RPI",)

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """The symbol tells inverse from linear."""
        return bybit_contract(row["symbol"]), row["symbol"]

    def event_ts(self, row: Row) -> int:
        """Seconds with a fraction, exactly."""
        return self.clock_ns(row["timestamp"])

    def clock_ns(self, text: str) -> int:
        """The same, of a cell."""
        return known_ns(to_units(text, 9))

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade."""
        return TradeRow(row["trdMatchID"], one_of(SIDES, row["side"], "side"), row["price"], row["size"])


class SpotTrades(Format):
    """One row a trade, with the time in ms; ids count from 1 in each file, so the file's date goes before them."""

    id = "bybit-spot-trades"
    kind = TRADE
    clock = "timestamp"
    any_order = True
    whole_days = True
    columns = ("id", "timestamp", "price", "volume", "side")
    optional = ("rpi",)

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """Symbol and date by the name."""
        named = SPOT_NAME.fullmatch(spelled(path.name))
        if named is None:
            raise FrameError("no_symbol", f"{path.name} is not named <symbol>_<date>.csv; keep the archive's name")
        return File("bybit-spot", named["symbol"], named["date"])

    def event_ts(self, row: Row) -> int:
        """The matching engine's time."""
        return stamp_ns(whole_number(row["timestamp"], "timestamp"))

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade."""
        side = one_of(SIDES, row["side"], "side")
        return TradeRow(f"{doc['date']}-{row['id']}", side, row["price"], row["volume"])


FORMATS = (PerpetualTrades(), SpotTrades())


def topic_of(text: str) -> str:
    """The topic of a line that is a message of the order book stream without a collector's stamp; else empty."""
    if not text.startswith("{"):
        return ""
    try:
        topic = orjson.loads(text).get("topic")
    except orjson.JSONDecodeError:
        return ""
    return topic if isinstance(topic, str) and TOPIC.fullmatch(topic) else ""


def market(path: Path, topic: str) -> str:
    """The venue of an order book file: by its folders, else by the depth and the symbol of its topic.

    Raises:
        FrameError: `wrong_venue` if neither tells: linear and spot files of other depths look alike.
    """
    for part in reversed(path.parts[:-1]):
        if part in MARKETS:
            return f"bybit-{part}"
    match = TOPIC.fullmatch(topic)
    if match and match["depth"] == CONTRACT_DEPTH:
        return bybit_contract(match["symbol"])
    raise FrameError(
        "wrong_venue",
        f"{path.name} may be of the linear or the spot market; move it into a folder named {' or '.join(MARKETS)}",
    )


def key(line: bytes) -> Key:
    """By what a line of an order book file is ordered: the engine's time."""
    match = ENGINE_TIME.search(line) or SEND_TIME.search(line)
    try:
        return Key(stamp_ns(int(match[1]))) if match else Key()
    except FrameError:
        return Key()


def frames(path: Path, topic: str, given: Iterable[Line | Torn]) -> Iterator[Item]:
    """The lines of an order book file as frames of the stream.

    Raises:
        FrameError: nothing tells the market.
    """
    conn = f"{market(path, topic)} {path.name}"
    recv_ts = 0
    for item in given:
        if len(item) == 3:
            yield item
            continue
        offset, line = item
        try:
            doc: dict[str, Any] = orjson.loads(line)
            recv_ts = max(recv_ts, stamp_ns(int(doc.get("cts", doc["ts"]))))
        except (*UNFIT, FrameError) as error:
            yield offset, line, FrameError("bad_json", f"no line of an order book: {invalid(error).detail}")
            continue
        yield RawFrame(offset, conn, recv_ts, line.rstrip(b"\r\n"))
