"""Venue-independent messages: book messages, trades, their sides and flags, and the raw frame they come from.

Venue formats belong to `ml.market.venues`, update ids to `ml.market.decode.continuity`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from ml.core.errors import FrameError

BUY = 1
SELL = -1
BID = 1
ASK = -1

SNAPSHOT = 1
"""The row sets a level; it is no flow."""
CLEAR = 2
"""The book is discarded before this row; alone (side 0) it says that the book is unknown from here on."""
LAST = 4
"""Last row of its message."""
CHECKPOINT = 8
"""The row belongs to the book with which the partition opens."""
LATE = 16
"""Event time older than the watermark."""
UNSEEN = 64
"""A snapshot without ids: how the book came to it was not seen, so flows are unknown until a diff comes."""
TIME = 32
"""No level: the frame moved the clock and nothing else (side 0)."""
LOST_TRADES = 128
"""Trades may be missing between the last one and this row."""
LAST_NS = 9 * 10**18
"""Times lie before it, so that what is added to one fits 64 bits."""


class RawFrame(NamedTuple):
    """One line of a capture, as received.

    `offset` is the byte offset of the line in the decompressed file; `recv_ts` is ns UTC by our clock;
    `conn` names the connection and, where it matters, its address.
    """

    offset: int
    conn: str
    recv_ts: int
    payload: bytes


@dataclass(slots=True)
class BookMessage:
    """A snapshot or a set of level changes; sizes are absolute and 0 removes a level.

    Args:
        snapshot: whether it replaces the book.
        event_ts: matching-engine time where given, else send time; ns UTC, 0 where the venue gives none.
        send_ts: venue send time; ns UTC, 0 where there is none.
        first_id: first update id in the message.
        last_id: last update id in the message.
        prev_id: last id of the message before, -1 where the venue gives none.
        side: BID or ASK per level.
        price: price units per level.
        size: size units per level.
    """

    snapshot: bool
    event_ts: int
    send_ts: int
    first_id: int
    last_id: int
    prev_id: int
    side: list[int] = field(default_factory=list)
    price: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)

    def bare(self) -> "BookMessage":
        """The same message without its levels."""
        return BookMessage(False, self.event_ts, self.send_ts, self.first_id, self.last_id, self.prev_id)

    def extend(self, other: "BookMessage") -> None:
        """Append the levels of another message: the later level wins."""
        self.side += other.side
        self.price += other.price
        self.size += other.size


@dataclass(slots=True)
class Trade:
    """One trade.

    `side` is the aggressor's, BUY or SELL; `event_ts` is ns UTC; price and size are units of the instrument.
    """

    event_ts: int
    trade_id: str
    side: int
    price: int
    size: int


def stamp_ns(stamp: int) -> int:
    """An integer time of unknown unit as ns since 1970; right for every time from 2001 to 2286.

    Collectors and venues write s, ms, us or ns; the magnitude tells which.

    Raises:
        FrameError: `bad_frame` if it is negative or does not fit 64 bits.

    >>> stamp_ns(1721347022504) == stamp_ns(1721347022504000) == 1721347022504000000
    True
    """
    return known_ns(stamp * (10**9 if stamp < 10**11 else 10**6 if stamp < 10**14 else 10**3 if stamp < 10**17 else 1))


def known_ns(ns: int) -> int:
    """A time in ns that fits the tables, and what is added to it too.

    Raises:
        FrameError: `bad_frame` for any other.
    """
    if not 0 <= ns < LAST_NS:
        raise FrameError("bad_frame", f"{ns} ns is no time between 1970 and 2255")
    return ns
