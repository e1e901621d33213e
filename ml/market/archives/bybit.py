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

from ml.errors import FrameError
from ml.instruments import to_units
from ml.market.archives.messages import Item
from ml.market.archives.table import TRADE, File, Format, Print, Row, spelled
from ml.market.archives.tardis import INVERSE
from ml.market.events import BUY, SELL, RawFrame, stamp_ns
from ml.market.lines import Line, Torn
from ml.market.unfit import UNFIT

MARKETS = ("linear", "spot", "inverse")
SPOT_NAME = re.compile(r"(?P<symbol>.+)[_-](?P<date>\d{4}-\d{2}(-\d{2})?)\.csv.*")
SIDES = {"Buy": BUY, "Sell": SELL, "buy": BUY, "sell": SELL}


class PerpetualTrades(Format):
    """One row a print, with the time in seconds; some files run backwards."""

    id, kind, any_order = "bybit-trading", TRADE, True
    columns = (
        "timestamp", "symbol", "side", "size", "price", "tickDirection", "trdMatchID", "grossValue", "homeNotional",
        "foreignNotional",
    )  # fmt: skip
    optional = ("RPI",)

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """The symbol tells inverse from linear."""
        return ("bybit-inverse" if INVERSE.fullmatch(row["symbol"]) else "bybit-linear"), row["symbol"]

    def event_ts(self, row: Row) -> int:
        """Seconds with a fraction, exactly."""
        return to_units(row["timestamp"], 9)

    def print(self, row: Row, position: int, doc: dict[str, Any]) -> Print:
        """A print."""
        return Print(row["trdMatchID"], SIDES[row["side"]], row["price"], row["size"])


class SpotTrades(Format):
    """One row a print, with the time in ms; ids count from 1 in each file, so the file's date goes before them."""

    id, kind, any_order = "bybit-spot-trades", TRADE, True
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
        return stamp_ns(int(row["timestamp"]))

    def print(self, row: Row, position: int, doc: dict[str, Any]) -> Print:
        """A print."""
        return Print(f"{doc['date']}-{row['id']}", SIDES[row["side"]], row["price"], row["volume"])


FORMATS = (PerpetualTrades(), SpotTrades())


def market(path: Path) -> str:
    """The venue of an order book file, by its folders.

    Raises:
        FrameError: `wrong_venue` if no folder names a market: linear and spot files look alike.
    """
    for part in reversed(path.parts[:-1]):
        if part in MARKETS:
            return f"bybit-{part}"
    raise FrameError(
        "wrong_venue", f"{path.name} lies in no folder named {', '.join(MARKETS)}, which alone tells the market"
    )


def frames(path: Path, given: Iterable[Line | Torn]) -> Iterator[Item]:
    """The lines of an order book file as frames of the stream.

    Raises:
        FrameError: no folder names the market.
    """
    conn, recv_ts = f"{market(path)} {path.name}", 0
    for item in given:
        if len(item) == 3:
            yield item
            continue
        offset, line = item
        try:
            doc: dict[str, Any] = orjson.loads(line)
            recv_ts = max(recv_ts, stamp_ns(int(doc.get("cts", doc["ts"]))))
        except (*UNFIT, FrameError) as error:
            yield offset, line, FrameError("bad_json", f"no line of an order book: {error}")
            continue
        yield RawFrame(offset, conn, recv_ts, line.rstrip(b"\r\n"))
