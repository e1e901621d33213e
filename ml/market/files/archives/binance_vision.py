"""Binance Vision: `aggTrades`, `trades`, `klines` and `bookTicker`, as zip or unpacked.

Formats: https://github.com/binance/binance-public-data. Stamps are ms, on spot us from 2025 on. Files have a header
line or none. They do not name the symbol, so the file must keep its name; a `.CHECKSUM` file beside it is checked.
"""

import re
from pathlib import Path
from typing import Any

from ml.core.errors import FrameError
from ml.market.decode.events import BUY, SELL, stamp_ns
from ml.market.files.archives.table import OTHER, TRADE, File, Format, Row, TradeRow, one_of, spelled, whole_number

NAME = re.compile(
    r"(?P<symbol>.+)-(?P<type>aggTrades|trades|bookTicker|\d+(?:s|m|h|d|w|mo))-\d{4}-\d{2}(-\d{2})?"
    r"(\.csv)?(\.zip|\.gz)?"
)
COINM = re.compile(r".*USD_(PERP|\d{6})")
FOLDERS = {"spot": "binance-spot", "um": "binance-usdm", "cm": "binance-coinm"}
LENGTHS = ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"))
SHORTEST_MONTH = 28 * 86_400
TRUE = {"true": SELL, "false": BUY}
"""The buyer was the maker -> the aggressor sold."""


class _Vision(Format):
    """What all files of Binance Vision have in common."""

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """Venue by the folder, else by symbol and columns; symbol by the name."""
        named = NAME.fullmatch(spelled(path.name))
        if named is None:
            raise FrameError("no_symbol", f"{path.name} is not named <symbol>-<type>-<date>; keep the archive's name")
        venue = next((FOLDERS[part] for part in reversed(path.parts[:-1]) if part in FOLDERS), "")
        return File("binance-coinm" if COINM.fullmatch(named["symbol"]) else venue, named["symbol"])

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """Spot files alone say whether a trade was the best match."""
        return file.venue or ("binance-spot" if self.optional[-1] in row else "binance-usdm"), file.symbol

    def event_ts(self, row: Row) -> int:
        """The matching engine's time."""
        return stamp_ns(whole_number(row[self.clock], self.clock))


def _aggressor(row: Row) -> int:
    return one_of(TRUE, row["is_buyer_maker"].lower(), "is_buyer_maker")


class AggTrades(_Vision):
    """One row the trades of one order at one price."""

    id = "binance-vision-aggtrades"
    kind = TRADE
    clock = "transact_time"
    counter = "agg_trade_id"
    first = "first_trade_id"
    whole_days = True
    columns = (
        "agg_trade_id",
        "price",
        "quantity",
        "first_trade_id",
        "last_trade_id",
        "transact_time",
        "is_buyer_maker",
    )
    optional = ("is_best_match",)
    spelt = {"timestamp": "transact_time", "was_best_price": "is_best_match"}  # noqa: RUF012

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade, whose id says that it counts another thing than `trades` do."""
        return TradeRow("agg-" + row["agg_trade_id"], _aggressor(row), row["price"], row["quantity"])


class Trades(_Vision):
    """One row a trade."""

    id = "binance-vision-trades"
    kind = TRADE
    clock = "time"
    counter = "id"
    whole_days = True
    columns = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
    optional = ("is_best_match",)
    spelt = {"base_qty": "quote_qty"}  # noqa: RUF012 - COIN-M

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade."""
        return TradeRow(row["id"], _aggressor(row), row["price"], row["qty"])


class _Beside(_Vision):
    """Files that hold neither book nor trades; nothing in them tells spot from USD-M."""

    kind = OTHER

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """Venue and symbol by the path; raises FrameError where no folder tells the market."""
        file = super().file(path, names)
        if not file.venue:
            raise FrameError(
                "wrong_venue",
                f"{path.name} may be of spot or of futures; keep the archive's folders, or move it into one named "
                f"{' or '.join(FOLDERS)}",
            )
        return file


class Klines(_Beside):
    """Candles."""

    id = "binance-vision-klines"
    clock = "open_time"
    any_order = True
    columns = (
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "close_time",
        "quote_volume",
        "count",
        "taker_buy_volume",
        "taker_buy_quote_volume",
        "ignore",
    )

    def type(self, row: Row) -> str:
        """The length of the candle, as the archive names it."""
        opened, closed = (stamp_ns(whole_number(row[name], name)) for name in ("open_time", "close_time"))
        seconds = round((closed - opened) / 10**9)
        if seconds >= SHORTEST_MONTH:
            return "1mo"
        length, unit = next((one for one in LENGTHS if seconds and seconds % one[0] == 0), (1, "s"))
        return f"{seconds // length}{unit}"


class BookTicker(_Beside):
    """Best bid and ask of futures; some files have rows out of order."""

    id = "binance-vision-bookticker"
    clock = "transaction_time"
    counter = "update_id"
    columns = (
        "update_id",
        "best_bid_price",
        "best_bid_qty",
        "best_ask_price",
        "best_ask_qty",
        "transaction_time",
        "event_time",
    )


FORMATS = (AggTrades(), Trades(), BookTicker(), Klines())
BY_TYPE = {"aggTrades": FORMATS[0], "trades": FORMATS[1], "bookTicker": FORMATS[2]}


def by_name(name: str) -> Format | None:
    """The format of a file, by its name; None for another archive's name."""
    named = NAME.fullmatch(spelled(name))
    return BY_TYPE.get(named["type"], FORMATS[3]) if named else None
