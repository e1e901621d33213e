"""The layout of the kernel's arrays: columns of a sample row, slots of the state, and the input streams.

The functions that use them are in `ml.market.book.kernel` and `ml.market.book.flows`.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.market.book.ladder import Book, empty_book
from ml.tables.schemas import BANDS, LEVELS, OFI_LEVELS, SAMPLE_COLUMNS

I64 = NDArray[np.int64]
COLUMNS = len(SAMPLE_COLUMNS)
BOOK_COLUMNS = SAMPLE_COLUMNS.index("ofi_1")
"""Time and levels come first: an array of so many columns samples the book alone."""
TAIL = 3600
"""Samples of look-back that travel with a state, and the cap of `valid_run`; in samples of one second, one hour."""
QUIET_NS = 1800 * 10**9
"""How long a captured trade stream may be silent before nobody can say whether anybody traded."""

TS = SAMPLE_COLUMNS.index("ts")
BID_PRICE = SAMPLE_COLUMNS.index("bid_price_1")
BID_SIZE = SAMPLE_COLUMNS.index("bid_size_1")
ASK_PRICE = SAMPLE_COLUMNS.index("ask_price_1")
ASK_SIZE = SAMPLE_COLUMNS.index("ask_size_1")
OFI = SAMPLE_COLUMNS.index("ofi_1")
ADDED = SAMPLE_COLUMNS.index("added_bid_touch")
CANCELLED = SAMPLE_COLUMNS.index("cancelled_bid_touch")
TRADED = SAMPLE_COLUMNS.index("traded_bid_touch")
N_UPDATES = SAMPLE_COLUMNS.index("n_updates")
TRADE_COUNT = SAMPLE_COLUMNS.index("trade_count_buy")
TRADE_HIGH = SAMPLE_COLUMNS.index("trade_price_high")
TRADE_LOW = SAMPLE_COLUMNS.index("trade_price_low")
TRADE_VOLUME = SAMPLE_COLUMNS.index("trade_volume_buy")
TRADE_NOTIONAL = SAMPLE_COLUMNS.index("trade_notional_buy")
TRADE_LARGEST = SAMPLE_COLUMNS.index("trade_largest")
TRADE_SPREAD = SAMPLE_COLUMNS.index("trade_spread_notional")
LAST_TRADE = SAMPLE_COLUMNS.index("last_trade_price")
BOOK_AGE = SAMPLE_COLUMNS.index("book_age")
VALID = SAMPLE_COLUMNS.index("valid")
RUN = SAMPLE_COLUMNS.index("valid_run")
TRADES_RUN = SAMPLE_COLUMNS.index("trades_run")
N_BANDS = len(BANDS)
BAND_BPS = np.array([0, 2, 5, 10, 20])

(
    WATERMARK,
    NEXT,
    PERIOD,
    ANCHORED,
    ONE_SIDED,
    CROSSED,
    START_TS,
    START_ARRIVAL,
    RELEASE_TS,
    RELEASE_ARRIVAL,
    CLOSED,
    RELEASED,
    SPANS,
    TRADE_PRICE,
    TRADE_TS,
    BOOK_TS,
    VALID_RUN,
    ON_TAPE,
    UNSEEN,
    TRADES_SINCE,
    TRADES_ARRIVAL,
    KNOWN_RUN,
) = range(22)

UNKNOWN_UPDATES = -1
"""`n_updates` of a sample whose book came from snapshots alone: it was not seen what was added and cancelled."""
EXTERNAL_BREAK, CROSSED_BREAK, ONE_SIDED_BREAK, OVERFLOW_BREAK, TRADES_BREAK, TRADES_SILENT = range(1, 7)
"""Why an interval ended; the last two end one in which trades were known, the others one of the book."""
DONE, NEED_SAMPLES, NEED_SPANS, NEED_ROWS = range(4)


class State(NamedTuple):
    """Everything the kernel remembers, as arrays only.

    `top` i64 (side, price/size, OFI_LEVELS): best levels after the last message. `flow` i64 (COLUMNS): what the open
    sample has accumulated, by column. `tape` i64 (64, 4): side, price, size, age in messages of trades that no
    decrease of a level has explained yet. `samples` i64 (room, COLUMNS or BOOK_COLUMNS). `spans` i64 (room, 6): start
    and end of each ended interval in which the book, or trades, were known (ns), start and end arrival, kind of break,
    arrival of the break. `rows` i64 (room) and `levels` i64 (2, LEVELS): scratch for one message or sample. `meta` i64:
    the scalars.
    """

    book: Book
    top: I64
    flow: I64
    tape: I64
    samples: I64
    spans: I64
    rows: I64
    levels: I64
    meta: I64


class BookStream(NamedTuple):
    """Book messages as arrays: time (ns), arrival, flags and end row per message; side, price, size per row."""

    ts: I64
    arrival: I64
    flags: I64
    end: I64
    side: NDArray[np.int8]
    price: I64
    size: I64


class TradeStream(NamedTuple):
    """Trades as arrays: time (ns), arrival, flags, aggressor side, price and size.

    The trades of one frame share its time.
    """

    ts: I64
    arrival: I64
    flags: NDArray[np.uint8]
    side: NDArray[np.int8]
    price: I64
    size: I64

    def part(self, rows: slice) -> "TradeStream":
        """Some of them in a row."""
        return self._make(column[rows] for column in self)


Given = TypeVar("Given", BookStream, TradeStream)


def constant(stream: Given) -> Given:
    """The same arrays as views that cannot be written: the kernel is compiled once, for such as a table lends."""
    if not any(column.flags.writeable for column in stream):
        return stream
    if not any(column.flags.writeable for column in stream):
        return stream
    columns = [column.view() for column in stream]
    for column in columns:
        column.flags.writeable = False
    return stream._make(columns)


def empty_state(period_ns: int, room: int, flows: bool = True) -> State:
    """A state that has seen nothing. `flows=False` samples the book alone."""
    meta = np.zeros(24, np.int64)
    meta[PERIOD] = period_ns
    return State(
        book=empty_book(),
        top=np.zeros((2, 2, OFI_LEVELS), np.int64),
        flow=np.zeros(COLUMNS, np.int64),
        tape=np.zeros((64, 4), np.int64),
        samples=np.zeros((room, COLUMNS if flows else BOOK_COLUMNS), np.int64),
        spans=np.zeros((256, 6), np.int64),
        rows=np.zeros(1 << 13, np.int64),
        levels=np.zeros((2, LEVELS), np.int64),
        meta=meta,
    )
