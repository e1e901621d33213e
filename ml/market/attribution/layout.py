"""The arrays of the lot ledger: columns of lots and of lot events, slots of the state.

The functions that use them are in `ml.market.attribution.ledger` and `ml.market.attribution.attribute`.
"""

from typing import NamedTuple

import numpy as np

from ml.market.book.ladder import Book, empty_book
from ml.market.book.layout import I64

MS = 10**6
LOTS = 1 << 17
"""Lots that can be alone at a time; what is added beyond them is volume of unknown birth."""
SLOTS = 1 << 18
"""Places of the hash table of levels that hold lots: a power of two, at least twice as many as lots."""
LOTS_PER_LEVEL = 32
"""The oldest lot of a level that holds more is forgotten: its volume stays, of unknown birth."""
TAPE = 512
MOVES = 512
MOVE_NS = 100 * MS
"""How long after its cancellation a lot of the same size at another price counts as moved there."""
EXACT_PER_MILLE = 4
"""A cancellation whose size is within so much of a lot's is of that lot."""
SURE = 1_000_000
"""`CONFIDENCE` of a lot about which nothing was guessed."""

(
    ID,
    SIDE,
    PRICE,
    SIZE,
    BORN_TS,
    BORN_SIZE,
    BORN_PRICE,
    FILLED,
    MOVED,
    CONFIDENCE,
    OLDER,
    NEWER,
) = range(12)
LOT_COLUMNS = 12

BORN, SHIFTED, CANCELLED, TRADED, LATE_TRADED, HIDDEN, FORGOTTEN, RESET = range(1, 9)
"""Kinds of lot events.

BORN: a lot was added. SHIFTED: it is one that was cancelled within `MOVE_NS`, at a new price. CANCELLED and TRADED: so
much of a lot left. LATE_TRADED: a trade that arrived after the book message explains so much of what was said to be
cancelled at a level. HIDDEN: a trade that no decrease of a level explains: hidden volume or a refill. FORGOTTEN: the
lot left a depth-limited view, or room. RESET: all lots are forgotten."""
(
    KIND,
    E_TS,
    E_SIDE,
    E_PRICE,
    E_AMOUNT,
    E_LEFT,
    E_ID,
    E_BORN_TS,
    E_BORN_SIZE,
    E_BORN_PRICE,
    E_FILLED,
    E_MOVED,
    E_CONFIDENCE,
    E_EXACT,
) = range(14)
EVENT_COLUMNS = (
    "kind",
    "ts",
    "side",
    "price",
    "amount",
    "left",
    "lot",
    "born_ts",
    "born_size",
    "born_price",
    "filled",
    "moved",
    "confidence",
    "exact",
)

(
    TIME,
    ANCHORED,
    CROSSED,
    LIMITED,
    VIEW,
    STALE_NS,
    FREE,
    NEXT_ID,
    ON_TAPE,
    PENDING,
    N_EVENTS,
    MOVE_HEAD,
    BOOK_TIME,
    UNTRACKED,
    DIFFS,
    SNAPSHOTS,
    TRADES,
    UPDATES,
    EDGE_BID,
    EDGE_ASK,
    ALIVE,
    DEEPEST,
    DAY,
) = range(23)
"""Slots of `meta`. TIME: the latest event time (ns). VIEW: levels per side that a depth-limited source shows, 0 for
all. EDGE: the worst price that counts before the message. ALIVE: lots in the ledger. DEEPEST: the most
levels that a side of a snapshot had, and at least 2 once a change behind the best price was seen."""
ADDED, REMOVED, IN_TIME, CARRIED, LATE, UNEXPLAINED, BEHIND_VIEW = range(7)
"""Rows of `totals`: volume added, volume that left (cancelled or traded), traded volume matched with the message of its
time, with the one after it, with the one before it; traded volume matched with none; what a view's edge hid."""
DONE, NEED_EVENTS, NEED_ROWS = range(3)


KEY, NEWEST, OLDEST, TOTAL, COUNT = range(5)
"""Columns of `slots`."""


class Ledger(NamedTuple):
    """The lots: few arrays, since each call hands all of them over.

    `lots` i64 (LOTS, LOT_COLUMNS): those of a level are linked from newest to oldest; free ones by OLDER. `slots` i64
    (SLOTS, 5): the level of each slot (0 is empty), its newest and oldest lot, their volume and number. `moves` i64
    (MOVES, CONFIDENCE + 3): what was cancelled last: time, whether it was moved, the lot's columns up to CONFIDENCE.
    `events` i64 (room, EVENT_COLUMNS). `meta` i64: the scalars.
    """

    lots: I64
    slots: I64
    moves: I64
    events: I64
    meta: I64


class State(NamedTuple):
    """Everything that attribution remembers, as arrays only.

    `tape` i64 (TAPE, 5): passive side, price, size, time, messages missed, of trades that no decrease explains yet.
    `pending` i64 (room, 3): side, price and cancelled size of the last message, which late trades may still explain.
    `rows` i64 (2, room): scratch of one message: sizes before, net additions. `totals` i64 (7, 2): volumes per side.
    """

    book: Book
    ledger: Ledger
    tape: I64
    pending: I64
    rows: I64
    totals: I64

    @property
    def meta(self) -> I64:
        """The scalars."""
        return self.ledger.meta

    @property
    def events(self) -> I64:
        """Lot events that were not taken yet, and room."""
        return self.ledger.events

    def with_events(self, events: I64) -> "State":
        """The same with other room for lot events."""
        return self._replace(ledger=self.ledger._replace(events=events))


def empty_state(stale_ns: int, limited: bool, room: int = 1 << 14) -> State:
    """A state that has seen nothing.

    Args:
        stale_ns: silence of the book after which all lots are forgotten.
        limited: whether the source shows the best levels only, as many as its snapshots hold.
        room: lot events to hold.
    """
    lots = np.zeros((LOTS, LOT_COLUMNS), np.int64)
    lots[:, OLDER] = np.arange(1, LOTS + 1)
    lots[-1, OLDER] = -1
    meta = np.zeros(24, np.int64)
    meta[LIMITED] = limited
    meta[STALE_NS] = stale_ns
    meta[NEXT_ID] = 1
    ledger = Ledger(
        lots=lots,
        slots=np.zeros((SLOTS, 5), np.int64),
        moves=np.zeros((MOVES, CONFIDENCE + 3), np.int64),
        events=np.zeros((room, len(EVENT_COLUMNS)), np.int64),
        meta=meta,
    )
    return State(
        book=empty_book(),
        ledger=ledger,
        tape=np.zeros((TAPE, 5), np.int64),
        pending=np.zeros((1 << 13, 3), np.int64),
        rows=np.zeros((2, 1 << 13), np.int64),
        totals=np.zeros((7, 2), np.int64),
    )
