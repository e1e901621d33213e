"""Decodes intervals of consecutive frames at once, to the same events as one by one.

Compiled code follows clock, update ids and trade ids over scanned frames, and passes the decoder the state it must
remember. Any other frame is decoded one by one (`ml.market.decode.decoder`); scanning is `ml.market.bulk.scanner`.
"""

from typing import NamedTuple

import numpy as np

from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import Levels
from ml.market.bulk.shapes import I64
from ml.market.bulk.trades import PARSED, counted
from ml.market.decode.clock import IS_LATE, REFUSED, Clock, verdict
from ml.market.decode.continuity import REMEMBERED
from ml.market.decode.decoder import REMEMBERED_TRADES, Decoder
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import LATE, BookMessage, Trade
from ml.market.decode.id_rules import Link, follows

WATERMARK, RECV, LAST_ID, LAST_TRADE = range(4)
UNKNOWN = -9
"""An id that no message follows."""
_verdict = njit_inline(verdict)
_follows = njit_inline(follows)


class Scanned(NamedTuple):
    """Frames of one instrument as its shapes have read them, with arrival and receive time.

    No other frame's levels lie between theirs. `trades` are those of frames of kind PARSED, by the frame's number.
    """

    fields: I64
    levels: Levels
    arrival: I64
    recv_ts: I64
    trades: dict[int, list[Trade]]
    late: I64


def decode(decoder: Decoder, given: Scanned, first: int, log: EventLog) -> int:
    """Log the events of the frames from `first` on, as far as they simply go on; the number of the first that does not.

    Book messages continue the chain, trades have larger ids than all before (the next one, where the venue counts its
    trades), and no time is out of bounds.
    """
    state = _state(decoder)
    late = given.late
    chained = decoder.continuity.rule.link is Link.PREV
    behind = int(follow(given.fields, given.recv_ts, first, chained, decoder.counts_trades, state, late))
    if behind == first:
        return first
    kinds = given.fields[first:behind, at.KIND]
    books, trades = (first + np.flatnonzero(kinds == kind) for kind in (at.BOOK, at.TRADE))
    start = int(given.fields[first, at.FROM])
    if len(books):
        _log_books(given, books, start, late, log)
    if len(trades):
        _log_trades(given, trades, late, log)
    for k in (first + np.flatnonzero(kinds == PARSED)).tolist():
        event = counted(decoder, given.trades[k], int(late[k]))
        log.trades(int(given.arrival[k]), int(given.recv_ts[k]), event)
    _remember(decoder, given, books, trades)
    tally = decoder.tally
    levels = given.levels.side[start : int(given.fields[behind - 1, at.ROWS])]
    tally.book_messages += len(books)
    tally.level_updates += int(np.count_nonzero(levels))
    tally.trades += len(trades)
    tally.late += int(np.count_nonzero(late[first:behind]))
    decoder.clock = Clock(int(state[WATERMARK]), int(state[RECV]))
    return behind


def watermarks(moves: I64, recv_ts: I64, clock: Clock) -> I64:
    """The watermark after each frame, and the clock moved past all of them.

    Args:
        moves: event time of each frame (ns UTC), 0 for one that moves no clock.
        recv_ts: ns UTC.
        clock: where to go on from; it is moved.
    """
    state = np.array([clock.watermark, clock.last_recv], np.int64)
    found = np.empty(len(moves), np.int64)
    _run_clock(moves, recv_ts, state, found)
    clock.watermark = int(state[WATERMARK])
    clock.last_recv = int(state[RECV])
    return found


@njit_no_alloc
def follow(fields: I64, recv_ts: I64, first: int, chained: bool, counted: bool, state: I64, late: I64) -> int:
    """Move the state over frames that go on; LATE is set where one is late. Returns the first that does not go on."""
    for k in range(first, len(recv_ts)):
        row = fields[k]
        kind = row[at.KIND]
        if kind == at.OTHER:
            continue
        if kind == at.BOOK:
            if not _follows(chained, row[at.FIRST], row[at.PREV], state[LAST_ID]) or row[at.LAST] <= state[LAST_ID]:
                return k
        elif kind == at.TRADE:
            last = state[LAST_TRADE]
            if row[at.ID] <= last or (counted and 0 < last < row[at.ID] - 1):
                return k
        elif kind != PARSED:
            return k
        found = _verdict(state[WATERMARK], state[RECV], row[at.EVENT], recv_ts[k])
        if state[WATERMARK] == 0 or found >= REFUSED:
            return k
        _move(state, row[at.EVENT], recv_ts[k])
        late[k] = LATE if found == IS_LATE else 0
        if kind == at.BOOK:
            state[LAST_ID] = row[at.LAST]
        elif kind == at.TRADE:
            state[LAST_TRADE] = row[at.ID]
    return len(recv_ts)


@njit_no_alloc
def _run_clock(moves: I64, recv_ts: I64, state: I64, found: I64) -> None:
    for k in range(moves.size):
        if moves[k] > 0:
            refused = _verdict(state[WATERMARK], state[RECV], moves[k], recv_ts[k]) >= REFUSED
            _move(state, 0 if refused else moves[k], recv_ts[k])
        found[k] = state[WATERMARK]


@njit_no_alloc
def _move(state: I64, event_ts: int, recv_ts: int) -> None:
    state[WATERMARK], state[RECV] = max(state[WATERMARK], event_ts), max(state[RECV], recv_ts)


def _state(decoder: Decoder) -> I64:
    chain = decoder.continuity
    clock = decoder.clock
    sure = chain.last_id is not None and chain.last_id >= 0 and not chain.doubted
    known = sure and chain.held is None and chain.rule.link is not Link.NONE
    return np.array(
        [clock.watermark, clock.last_recv, chain.last_id if known else UNKNOWN, decoder.highest_trade], np.int64
    )


def _log_books(given: Scanned, books: I64, start: int, late: I64, log: EventLog) -> None:
    fields = given.fields
    stop = int(given.fields[books[-1], at.ROWS])
    columns = {"event_ts": at.EVENT, "send_ts": at.SEND, "first_id": at.FIRST, "last_id": at.LAST, "prev_id": at.PREV}
    messages = {name: fields[books, column] for name, column in columns.items()}
    messages |= {"arrival": given.arrival[books], "recv_ts": given.recv_ts[books], "flags": late[books]}
    messages["end"] = fields[books, at.ROWS] - start
    log.many_books(messages, given.levels.part(slice(start, stop)))


def _log_trades(given: Scanned, trades: I64, late: I64, log: EventLog) -> None:
    columns = {"event_ts": at.EVENT, "frame_ts": at.EVENT, "price": at.PRICE, "size": at.SIZE}
    columns |= {"side": at.SIDE, "trade_id": at.ID}
    logged = {name: given.fields[trades, column] for name, column in columns.items()}
    logged |= {"arrival": given.arrival[trades], "recv_ts": given.recv_ts[trades], "flags": late[trades]}
    log.many_trades(logged)


def _remember(decoder: Decoder, given: Scanned, books: I64, trades: I64) -> None:
    """Note what the decoder would remember had it seen the frames one by one; it is made when a frame needs it."""
    deferred = decoder.deferred if isinstance(decoder.deferred, Tail) else Tail()
    decoder.deferred = deferred.extended(given, books, trades)
    if len(books):
        decoder.suspect = ""
        chain = decoder.continuity
        chain.last_id = int(given.fields[books[-1], at.LAST])
        chain.last_ts = max(chain.last_ts, int(given.fields[books, at.EVENT].max()))
    if len(trades):
        decoder.highest_trade = int(given.fields[trades[-1], at.ID])


class Books(NamedTuple):
    """Book messages of one interval: their fields, and their levels."""

    fields: I64
    levels: Levels


class Tail(NamedTuple):
    """The last book messages of intervals, and the fields of their last trades; the newest interval comes last."""

    books: tuple[Books, ...] = ()
    trades: tuple[I64, ...] = ()

    def extended(self, given: Scanned, books: I64, trades: I64) -> "Tail":
        """With the later messages, as far as they are remembered."""
        messages = given.fields[books[-REMEMBERED:]]
        newest = given.fields[trades[-REMEMBERED_TRADES:]]
        tail = self
        if len(messages):
            levels = given.levels.part(slice(int(messages[0, at.FROM]), int(messages[-1, at.ROWS])))
            tail = tail._replace(books=(*tail.books, Books(messages, levels)))
        if len(newest):
            tail = tail._replace(trades=(*tail.trades, newest))
        while sum(len(later.fields) for later in tail.books[1:]) >= REMEMBERED:
            tail = tail._replace(books=tail.books[1:])
        while sum(map(len, tail.trades[1:])) >= REMEMBERED_TRADES:
            tail = tail._replace(trades=tail.trades[1:])
        return tail

    def settle_books(self, decoder: Decoder) -> "Tail":
        """Have the decoder remember the messages; what is still deferred."""
        for fields, columns in self.books:
            side, price, size = (column.tolist() for column in columns)
            first = int(fields[0, at.FROM])
            for row in fields.tolist():
                message = BookMessage(False, *row[at.EVENT : at.PREV + 1])
                levels = slice(row[at.FROM] - first, row[at.ROWS] - first)
                if side[levels.start]:
                    message.side = side[levels]
                    message.price = price[levels]
                    message.size = size[levels]
                decoder.continuity.remember(message)
        return self._replace(books=())

    def settle_trades(self, decoder: Decoder) -> "Tail":
        """The same of trades."""
        for row in (row for fields in self.trades for row in fields.tolist()):
            trade = Trade(row[at.EVENT], str(row[at.ID]), row[at.SIDE], row[at.PRICE], row[at.SIZE])
            decoder.recent_trades[trade.trade_id] = trade
        decoder.forget()
        return self._replace(trades=())
