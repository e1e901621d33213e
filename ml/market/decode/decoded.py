"""The output types of decoding: events to apply, and counts of them.

Decoding belongs to `ml.market.decode.decoder`, the messages inside to `ml.market.decode.events`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ml.core.errors import FrameError
from ml.market.decode.continuity import Step
from ml.market.decode.events import LOST_TRADES, BookMessage, Trade


@dataclass(slots=True)
class BookEvent:
    """A book message to apply, with its message flags; a break carries what is missing."""

    message: BookMessage
    flags: int
    broken: Step | None = None


@dataclass(slots=True)
class TradeEvent:
    """The trades of one frame to count; `event_ts` is the frame's time, the latest of theirs.

    `broken` says which trades are missing before them.
    """

    trades: list[Trade]
    event_ts: int
    flags: int
    broken: Step | None = None

    def trade_flags(self) -> Iterator[int]:
        """The flags of each: trades are missing before the first one alone."""
        for k in range(len(self.trades)):
            yield self.flags | (LOST_TRADES if self.broken is not None and k == 0 else 0)


Event = BookEvent | TradeEvent | FrameError


@dataclass
class Tally:
    """What has been decoded so far."""

    book_messages: int = 0
    level_updates: int = 0
    trades: int = 0
    off_market_trades: int = 0
    dropped_before_snapshot: int = 0
    repeats: int = 0
    late: int = 0
