"""Events of an interval of time, collected as columns: the tables `book_events` and `trades`, and the kernel's arrays.

Here: appending events and turning them into tables and streams.
Not here: where events come from (`ml.market.decode.decoder`), reading stored tables (`ml.market.days.tables`).
"""

from array import array
from collections.abc import Sequence

import numpy as np
import polars as pl

from ml.market.book.layout import BookStream, TradeStream
from ml.market.bulk.frames import Levels
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.events import CLEAR, LAST
from ml.tables.schemas import SCHEMAS

MESSAGE_COLUMNS = ("arrival", "event_ts", "send_ts", "recv_ts", "first_id", "last_id", "prev_id")


class EventLog:
    """Book messages and trades in the order of their arrival."""

    def __init__(self) -> None:
        self.messages = {name: array("q") for name in (*MESSAGE_COLUMNS, "flags", "end")}
        self.levels = {"side": array("b"), "price": array("q"), "size": array("q")}
        self.trade_columns = {
            name: array("q") for name in ("arrival", "event_ts", "recv_ts", "price", "size", "frame_ts")
        }
        self.sides = array("b")
        self.trade_flags = array("B")
        self.trade_ids: list[str] = []

    def book(self, arrival: int, recv_ts: int, event: BookEvent) -> None:
        """Append a book message; one without levels takes one row of side 0."""
        message = event.message
        values = (
            arrival,
            message.event_ts,
            message.send_ts,
            recv_ts,
            message.first_id,
            message.last_id,
            message.prev_id,
        )
        for name, value in zip(MESSAGE_COLUMNS, values, strict=True):
            self.messages[name].append(value)
        self.messages["flags"].append(event.flags)
        self.levels["side"].extend(message.side or (0,))
        self.levels["price"].extend(message.price or (0,))
        self.levels["size"].extend(message.size or (0,))
        self.messages["end"].append(len(self.levels["side"]))

    def trades(self, arrival: int, recv_ts: int, event: TradeEvent) -> None:
        """Append the trades of one frame."""
        for trade, flags in zip(event.trades, event.trade_flags(), strict=True):
            values = (arrival, trade.event_ts, recv_ts, trade.price, trade.size, event.event_ts)
            for column, value in zip(self.trade_columns.values(), values, strict=True):
                column.append(value)
            self.sides.append(trade.side)
            self.trade_flags.append(flags)
            self.trade_ids.append(trade.trade_id)

    def many_books(self, messages: dict[str, np.ndarray], levels: Levels) -> None:
        """Append book messages.

        Args:
            messages: their columns, `end` counted from the first of these levels.
            levels: of these messages.
        """
        _append(self.messages["end"], messages["end"] + len(self.levels["side"]))
        for name in (*MESSAGE_COLUMNS, "flags"):
            _append(self.messages[name], messages[name])
        for column, values in zip(self.levels.values(), levels, strict=True):
            _append(column, values)

    def many_trades(self, columns: dict[str, np.ndarray]) -> None:
        """Append trades, each of its own frame, as columns; `side`, `flags` and `trade_id` are integers."""
        for name, column in self.trade_columns.items():
            _append(column, columns[name])
        _append(self.sides, columns["side"].astype(np.int8))
        _append(self.trade_flags, columns["flags"].astype(np.uint8))
        self.trade_ids += map(str, columns["trade_id"].tolist())

    def streams(self) -> tuple[BookStream, TradeStream]:
        """What has been collected, for the kernel."""
        message = self.messages
        level = self.levels
        columns = self.trade_columns
        books = BookStream(
            ts=_array(message["event_ts"]),
            arrival=_array(message["arrival"]),
            flags=_array(message["flags"]),
            end=_array(message["end"]),
            side=_array(level["side"], np.int8),
            price=_array(level["price"]),
            size=_array(level["size"]),
        )
        trades = TradeStream(
            ts=_array(columns["frame_ts"]),
            arrival=_array(columns["arrival"]),
            flags=_array(self.trade_flags, np.uint8),
            side=_array(self.sides, np.int8),
            price=_array(columns["price"]),
            size=_array(columns["size"]),
        )
        return books, trades

    def timed_trades(self) -> TradeStream:
        """The trades with the time of each instead of its frame's: attribution needs them."""
        return self.streams()[1]._replace(ts=_array(self.trade_columns["event_ts"]))

    def book_frame(self) -> pl.DataFrame:
        """The table `book_events`."""
        end = _array(self.messages["end"])
        rows = np.diff(end, prepend=0)
        frame = pl.DataFrame({name: np.repeat(_array(self.messages[name]), rows) for name in MESSAGE_COLUMNS})
        flags = np.repeat(_array(self.messages["flags"]), rows)
        first = np.zeros(len(flags), bool)
        first[end - rows] = True
        flags[~first] &= ~CLEAR
        flags[end - 1] |= LAST
        unknown = {"send_ts": 0, "first_id": -1, "last_id": -1, "prev_id": -1}
        return frame.with_columns(
            *(pl.col(name).replace(value, None) for name, value in unknown.items()),
            side=_array(self.levels["side"], np.int8),
            price=_array(self.levels["price"]),
            size=_array(self.levels["size"]),
            flags=flags.astype(np.uint8),
        ).select(SCHEMAS["book_events"].names())

    def trade_frame(self) -> pl.DataFrame:
        """The table `trades`."""
        columns = {name: _array(column) for name, column in self.trade_columns.items() if name != "frame_ts"}
        return pl.DataFrame(
            columns
            | {
                "trade_id": self.trade_ids,
                "side": _array(self.sides, np.int8),
                "flags": _array(self.trade_flags, np.uint8),
            },
            schema_overrides={"trade_id": pl.String},
        ).select(SCHEMAS["trades"].names())


def _append(column: "array[int]", values: np.ndarray) -> None:
    column.frombytes(np.ascontiguousarray(values).data.cast("B"))


def _array(column: Sequence[int], dtype: type = np.int64) -> np.ndarray:
    return np.array(column, dtype)
