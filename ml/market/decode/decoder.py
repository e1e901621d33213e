"""From raw frames to events: one instrument, frame by frame, in arrival order.

Here: the clock, parsing, repeated trades and the update-id chain, in this order.
Not here: collecting the events of a day (`ml.market.days.day`), sampling (`ml.market.book.sampler`).

The same object serves a stored day and a live stream, so both see the same events.
"""

from collections import OrderedDict
from typing import Any, Protocol

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.decode.clock import Clock
from ml.market.decode.continuity import NO_ID, Continuity, Step, Verdict
from ml.market.decode.decoded import BookEvent, Event, Tally, TradeEvent
from ml.market.decode.events import CLEAR, LATE, LOST_TRADES, SNAPSHOT, TIME, UNSEEN, BookMessage, Trade
from ml.market.decode.id_rules import COUNTED_TRADES, RULES
from ml.market.decode.parse_errors import LARGEST
from ml.market.venues.dialects import BOOK, LOSS, MOVING, OTHER, TRADE, dialect
from ml.tables.schemas import END_REASONS

REMEMBERED_TRADES = 4096
COVERS = "covers"
"""The member by which the first trade of an archive says of which date the file holds every trade."""
OF_LINES = ("reconnect", "silent", "overflow")
"""Losses of all that a capture's connection carries."""


class Deferred(Protocol):
    """What a decoder must remember of frames that it has not seen one by one."""

    def settle_books(self, decoder: "Decoder") -> "Deferred":
        """Have the decoder remember the book messages; what is still deferred."""
        ...

    def settle_trades(self, decoder: "Decoder") -> "Deferred":
        """The same of trades."""
        ...


class Decoder:
    """Turns an instrument's frames into events."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.dialect = dialect(instrument.venue)
        self.continuity = Continuity(RULES[instrument.venue], instrument.stale_ns)
        self.clock = Clock()
        self.suspect = ""
        """Why frames may be missing since the chain was last known whole, a book frame quarantined or a loss that the
        capture noted; it explains the next break."""
        self.counts_trades = instrument.venue in COUNTED_TRADES
        self.recent_trades = OrderedDict[str, Trade]()
        self.highest_trade = 0
        """The largest of the ids of trades that are numbers; one with a larger id is new."""
        self.covered = set[str]()
        """UTC dates of which a file holds every trade."""
        self.deferred: Deferred | None = None
        self.tally = Tally()

    def catch_up_books(self) -> None:
        """Remember the book messages that are deferred: before that, the chain's `recent` ones lag behind."""
        if self.deferred is not None:
            self.deferred = self.deferred.settle_books(self)

    def catch_up_trades(self) -> None:
        """Remember the trades that are deferred: before that, `recent_trades` lag behind."""
        if self.deferred is not None:
            self.deferred = self.deferred.settle_trades(self)

    def offer(self, doc: dict[str, Any], recv_ts: int) -> list[Event]:
        """The events of one frame; a FrameError among them says what must be quarantined."""
        kind = self.dialect.kind(doc)
        if kind not in (TRADE, OTHER):
            self.catch_up_books()
        if kind == LOSS:
            return self._lose(doc)
        flags = 0
        frame_ts = 0
        events = list[Event]()
        if kind == TRADE and COVERS in doc:
            self.covered.add(str(doc[COVERS]))
        try:
            if kind in MOVING:
                frame_ts = self.dialect.event_ts(doc)
                flags = LATE if self.clock.admit(frame_ts, recv_ts) else 0
                self.tally.late += flags == LATE
            books, trades = self.dialect.parse(doc, self.instrument)
            see_that_it_fits(books, trades)
        except FrameError as error:
            books = []
            trades = []
            events.append(error)
            if kind == BOOK:
                self.suspect = error.reason
                events += self._lose_refused(doc)
            elif kind == TRADE and not self.counts_trades and self.clock.watermark:
                events.append(self._lost_trades(_missing("bad_frame"), 0))
            if frame_ts == 0 or error.reason in ("clock_back", "clock_ahead"):
                return events  # it moved no clock
        for message in books:
            for step in self.continuity.offer(message):
                events += self._take(step, flags)
        if trades:
            self.catch_up_trades()
            events += self._trades(trades, flags)
        if kind in MOVING and not any(isinstance(event, BookEvent | TradeEvent) for event in events):
            events.append(BookEvent(BookMessage(False, frame_ts, 0, -1, -1, -1), TIME | flags))
        return events

    def remember(self, trade: Trade) -> None:
        """Note a trade that was counted."""
        self.recent_trades[trade.trade_id] = trade
        self._count(trade.trade_id)

    def _count(self, trade_id: str) -> Step | None:
        """Note a trade's id; what is missing before it where the venue counts its trades."""
        if not trade_id.isdecimal():
            return None
        number = min(int(trade_id), LARGEST)
        last = self.highest_trade
        self.highest_trade = max(last, number)
        if not self.counts_trades or last == 0 or number <= last + 1:
            return None
        return _missing("sequence_gap", last, number - 1)

    def _before(self, trade: Trade | FrameError) -> Step | None:
        """What is missing at a trade: by its id, or the trade itself where it cannot be read and nothing counts it."""
        if isinstance(trade, FrameError) and trade.reason != "off_market":
            return None if self.counts_trades else _missing("bad_frame")
        return self._count(trade.trade_id)

    def forget(self) -> None:
        """Keep the newest trades alone."""
        while len(self.recent_trades) > REMEMBERED_TRADES:
            self.recent_trades.popitem(last=False)

    def _take(self, step: Step, late: int) -> list[Event]:
        tally = self.tally
        message = step.message
        tally.book_messages += step.messages
        tally.level_updates += step.levels
        match step.verdict:
            case Verdict.APPLY:
                self.suspect = ""
                return [BookEvent(message, late)]
            case Verdict.ANCHOR:
                self.suspect = ""
                unseen = UNSEEN if message.last_id == NO_ID else 0
                return [BookEvent(message, SNAPSHOT | CLEAR | late | unseen)]
            case Verdict.BREAK:
                if self.suspect:
                    step.reason = self.suspect if self.suspect in END_REASONS else "bad_frame"
                return [BookEvent(message.bare(), CLEAR | late, step)]
            case Verdict.WAIT:
                return [BookEvent(message.bare(), TIME | late)]
            case Verdict.UNEQUAL:
                error = FrameError("unequal_repeat", f"book message {message.last_id} came before with other levels")
                return [error]
            case Verdict.DROPPED:
                tally.dropped_before_snapshot += 1
            case Verdict.REPEAT:
                tally.repeats += 1
        return []

    def _trades(self, trades: list[Trade | FrameError], late: int) -> list[Event]:
        events = list[Event]()
        fresh = list[Trade]()
        missing = [self._before(trade) for trade in trades]
        broken = next((step for step in missing if step is not None), None)
        for trade in trades:
            if isinstance(trade, FrameError):
                self.tally.off_market_trades += trade.reason == "off_market"
                events.append(trade)
                continue
            known = self.recent_trades.get(trade.trade_id)
            if known is None:
                self.remember(trade)
                fresh.append(trade)
            elif known == trade:
                self.tally.repeats += 1
            else:
                events.append(FrameError("unequal_repeat", f"trade {trade.trade_id} came before with other values"))
        self.forget()
        self.tally.trades += len(fresh)
        if fresh:
            event_ts = max(trade.event_ts for trade in trades if isinstance(trade, Trade))
            events.append(TradeEvent(fresh, event_ts, late, broken))
        elif broken is not None:
            events.append(self._lost_trades(broken, late))
        return events

    def _lose(self, doc: dict[str, Any]) -> list[Event]:
        """Frames may be missing here: ids show it of books, nothing shows it of trades on the same connection."""
        reason = str(doc[LOSS])
        books = bool(doc.get("books", True))
        events = list[Event]()
        if books:
            self.suspect = reason
            self.continuity.doubted |= reason in OF_LINES and self.continuity.last_id not in (None, NO_ID)
            events = self._lose_unseen()
        if doc.get("trades", books) and not events and self.clock.watermark:
            ended = reason if reason in END_REASONS else "bad_frame"
            events.append(self._lost_trades(_missing(ended), 0))
        return events

    def _lost_trades(self, broken: Step, late: int) -> BookEvent:
        """Trades may be missing since the last one; no book message says so."""
        message = BookMessage(False, self.clock.watermark, 0, -1, -1, -1)
        return BookEvent(message, TIME | LOST_TRADES | late, broken)

    def _lose_unseen(self) -> list[Event]:
        """Where messages have no ids, nothing else will show that one is missing: the book is unknown at once."""
        return [] if self.continuity.last_id != NO_ID else self._lost(NO_ID)

    def _lose_refused(self, doc: dict[str, Any]) -> list[Event]:
        """A book message was quarantined: the book is unknown at once if it was the next, for all may be refused."""
        try:
            missing = [message.last_id for message in self.dialect.outline(doc) if self.continuity.is_next(message)]
        except FrameError:
            missing = []
        return self._lost(missing[-1]) if missing else self._lose_unseen()

    def _lost(self, to_id: int) -> list[Event]:
        """The book is unknown from its last message on."""
        events = [event for step in self.continuity.lose("bad_frame", to_id) for event in self._take(step, 0)]
        for event in events:
            if isinstance(event, BookEvent):
                event.message.event_ts = self.clock.watermark
        return events


def _missing(reason: str, from_id: int = -1, to_id: int = -1) -> Step:
    """Trades are missing, where it can be told after which id and up to which."""
    nothing = BookMessage(False, 0, 0, -1, -1, -1)
    return Step(Verdict.BREAK, nothing, from_id, to_id, reason, of_trades=True)


def see_that_it_fits(books: list[BookMessage], trades: list[Trade | FrameError]) -> None:
    """Raise `bad_number` for a price or size beyond 64 bits, which an instrument of fewer decimals might have held."""
    sizes = [max(values) for message in books for values in (message.price, message.size) if values]
    sizes += [max(trade.price, trade.size) for trade in trades if isinstance(trade, Trade)]
    if max(sizes, default=0) > LARGEST:
        raise FrameError("bad_number", f"{max(sizes)} units do not fit 64 bits")
