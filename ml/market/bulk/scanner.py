"""Frames of a venue's exact shape, read from their bytes. All compiled.

Here: following the table of shapes; whatever differs in one byte is declined, and the ordinary parser reads it.
Not here: the shapes (`ml.market.bulk.shapes`), the ordinary parsers (`ml.market.venues`), which prove this one.

Prices and sizes are exact: digits are counted into int64 units, and what does not fit is declined. A control byte,
such as a line feed, stops every step, so nothing is read behind one.
"""

from typing import Any

import numpy as np

from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.bulk import shapes as at
from ml.market.bulk.shapes import I8, I64, U8, Table

QUOTE = 34
BACKSLASH = 92
COMMA = 44
DOT = 46
SLASH = 47
ZERO = 48
NINE = 57
COLON = 58
AT = 64
OPEN = 91
CLOSE = 93
TRUE = 116
FALSE = 102
SPECIAL = np.array([not 32 <= byte <= 126 or byte in (QUOTE, BACKSLASH) for byte in range(256)])
"""Bytes that do not stand in a plain text."""
POWERS = 10 ** np.arange(19)
MOST_DIGITS = 18
REFUSED = -1
NO_PLACE = np.uint64(2**64 - 1)
"""A place in the text where nothing fits."""
P1, P2, P3, P4 = (np.uint64(k) for k in range(1, 5))
"""Steps in the text: places are unsigned, which spares a look at each whether it counts from the end."""


@njit_no_alloc
def scan(
    text: U8,
    start: I64,
    end: I64,
    tried: I64,
    table: Table,
    decimals: I64,
    fields: I64,
    side: I8,
    price: I64,
    size: I64,
) -> int:
    """Read frames; `fields` (n, at.FIELDS) and the levels are written. Returns how many levels there are.

    Args:
        text: bytes, the last of which is a control byte.
        start: first byte of each frame.
        end: byte behind each frame.
        tried: (n, 2) for each frame, the first of the table's shapes to try and the one behind the last.
        table: shapes.
        decimals: of prices and of sizes.
        fields: what the frames say; column KIND is at.DECLINED for those of no shape.
        side: 1 or -1 per level; with room for none, levels are checked and not kept.
        price: price units per level.
        size: size units per level; 0 stands where a diff has no level (side 0).
    """
    rows = 0
    for k in range(start.size):
        row = fields[k]
        row[at.KIND] = at.DECLINED
        row[at.FROM] = rows
        for shape in range(tried[k, 0], tried[k, 1]):
            begin = np.uint64(start[k])
            behind = np.uint64(end[k])
            found = _read(text, begin, behind, table, shape, decimals, row, side, price, size, rows)
            if found != REFUSED:
                row[at.KIND] = table.kind[shape]
                row[at.SHAPE] = shape
                rows = found
                break
        row[at.ROWS] = rows
    return rows


@njit_no_alloc
def _read(
    text: U8,
    here: Any,
    end: Any,
    table: Table,
    shape: int,
    decimals: I64,
    row: I64,
    side: I8,
    price: I64,
    size: I64,
    rows: int,
) -> int:
    """Follow one shape; where the levels end, or REFUSED."""
    row[at.EVENT] = row[at.SEND] = row[at.FIRST] = row[at.PREV] = -1
    row[at.STREAM] = row[at.STREAM_END] = 0
    before = rows
    step = table.first[shape]
    while True:
        what = table.steps[step, 0]
        slot = table.steps[step, 1]
        length = table.steps[step, 2]
        step += 1
        if what == at.LITERAL:
            begin = here
            here += np.uint64(length)
            if here > end or not _same(text[begin:here], table.literals[slot : slot + length]):
                return REFUSED
        elif what == at.TEXT:
            begin = here
            here = _text_end(text, here, length)
            if slot == at.SYMBOL:
                row[slot] = begin
                row[slot + 1] = here
        elif what == at.INTEGER or what == at.STAMP:
            row[slot], here = _integer(text, here)
            if what == at.STAMP and here != NO_PLACE:
                row[slot] = nanoseconds(row[slot])
                if row[slot] <= 0:
                    return REFUSED
        elif what == at.DECIMAL:
            row[slot], here = _decimal(text, here, decimals[slot - at.PRICE])
        elif what == at.LEVELS:
            rows, here = _levels(text, here, slot, length, decimals, side, price, size, rows)
        elif what != at.END:
            here = _rarer(what, text, here, row, slot)
        elif here == end and _fits(row, table.kind[shape]):
            return _padded(table.kind[shape], side, price, size, before, rows)
        else:
            return REFUSED
        if here == NO_PLACE:
            return REFUSED


@njit_inline
def _fits(row: I64, kind: int) -> bool:
    """Complete what the venue does not write; is it something that any frame of the kind may say?"""
    if row[at.SYMBOL] == row[at.SYMBOL_END]:
        return False
    if kind == at.BOOK:
        if row[at.EVENT] < 0:
            row[at.EVENT] = row[at.SEND]
        if row[at.FIRST] < 0:
            row[at.FIRST] = row[at.LAST]
        return row[at.LAST] > 1  # the first id of all may be that of a restart
    return kind != at.TRADE or (row[at.PRICE] > 0 and row[at.SIZE] > 0)


@njit_inline
def _padded(kind: int, side: I8, price: I64, size: I64, before: int, rows: int) -> int:
    """A diff without levels takes one row of side 0, as in the tables."""
    if kind != at.BOOK or rows > before or side.size == 0:
        return rows
    side[rows] = price[rows] = size[rows] = 0
    return rows + 1


@njit_inline
def _same(one: U8, other: U8) -> bool:
    """Whether two texts are the same; all bytes are looked at, which is vector code."""
    differing = np.uint8(0)
    for k in range(other.size):
        differing |= one[k] ^ other[k]
    return differing == 0


@njit_inline
def _text_end(text: U8, here: Any, stop: int) -> Any:
    """Where a plain ASCII text ends: at its closing quote, or at the byte `stop`."""
    while True:
        byte = text[here]
        if SPECIAL[byte] or byte == stop:
            return here if byte in (QUOTE, stop) else NO_PLACE
        here += P1


@njit_inline
def _integer(text: U8, here: Any) -> tuple[Any, Any]:
    """An integer as JSON writes it, without sign, and the place behind it."""
    begin = here
    value = 0
    digits = 0
    while text[here] >= ZERO and text[here] <= NINE and digits <= MOST_DIGITS:
        value = value * 10 + (text[here] - ZERO)
        here += P1
        digits += 1
    if digits == 0 or digits > MOST_DIGITS or (digits > 1 and text[begin] == ZERO):
        return 0, NO_PLACE
    return value, here


@njit_no_alloc
def nanoseconds(stamp: int) -> int:
    """As `ml.market.decode.events.stamp_ns`; -1 for what does not fit 64 bits."""
    if stamp < 10**11:
        return stamp * 10**9 if stamp < 9 * 10**9 else -1
    if stamp < 10**14:
        return stamp * 10**6 if stamp < 9 * 10**12 else -1
    if stamp < 10**17:
        return stamp * 10**3 if stamp < 9 * 10**15 else -1
    return stamp if stamp < 9 * 10**18 else -1


@njit_inline
def _decimal(text: U8, here: Any, decimals: int) -> tuple[int, Any]:
    """A decimal text as units of 10^-decimals, exactly, and the place behind it."""
    value = 0
    whole = 0
    left = decimals
    while text[here] >= ZERO and text[here] <= NINE and whole <= MOST_DIGITS:
        value = value * 10 + (text[here] - ZERO)
        here += P1
        whole += 1
    if whole == 0 or whole + decimals > MOST_DIGITS:
        return 0, NO_PLACE
    if text[here] == DOT:
        here += P1
        if text[here] < ZERO or text[here] > NINE:
            return 0, NO_PLACE
        while text[here] >= ZERO and text[here] <= NINE:
            if left > 0:
                value = value * 10 + (text[here] - ZERO)
                left -= 1
            elif text[here] != ZERO:
                return 0, NO_PLACE
            here += P1
    return value * POWERS[left], here


@njit_inline
def _rarer(what: int, text: U8, here: Any, row: I64, slot: int) -> Any:
    """This place, named texts, the name of a stream, or the aggressor's side by the maker's or by its own word."""
    if what == at.PLACE:
        row[slot] = here
        return here
    if what == at.NAME:
        return _name(text, here)
    if what == at.SPEED or what == at.DEPTH:
        row[slot] = here
        here = _speed(text, here) if what == at.SPEED else _integer(text, here)[1]
        row[slot + 1] = here
        return here
    if what == at.NAMED:
        return _named(text, here)
    return _maker(text, here, row) if what == at.MAKER else _taker(text, here, row)


@njit_inline
def _name(text: U8, here: Any) -> Any:
    """Where the name before a stream's `@` ends; none holds a slash."""
    while text[here] != AT:
        if SPECIAL[text[here]] or text[here] == SLASH:
            return NO_PLACE
        here += P1
    return here


@njit_inline
def _speed(text: U8, here: Any) -> Any:
    """The place behind a stream's speed, which may be left out."""
    return here if text[here] == QUOTE else _text_end(text, here, QUOTE) if text[here] == AT else NO_PLACE


@njit_inline
def _named(text: U8, here: Any) -> Any:
    """The place behind all of `,"name":"text"`."""
    while text[here] == COMMA:
        here = _further(text, here)
        if here == NO_PLACE or text[here] != COLON or text[here + P1] != QUOTE:
            return NO_PLACE
        here = _text_end(text, here + P2, QUOTE)
        if here == NO_PLACE:
            return NO_PLACE
        here += P1
    return here


@njit_inline
def _maker(text: U8, here: Any, row: I64) -> Any:
    """Whether the buyer was the maker, as the aggressor's side."""
    if text[here] == TRUE and text[here + P1] == 114 and text[here + P2] == 117 and text[here + P3] == 101:
        row[at.SIDE] = -1
        return here + P4
    if text[here] == FALSE and text[here + P1] == 97 and text[here + P2] == 108 and text[here + P3] == 115:
        row[at.SIDE] = 1
        return here + P4 + P1 if text[here + P4] == 101 else NO_PLACE
    return NO_PLACE


@njit_inline
def _taker(text: U8, here: Any, row: I64) -> Any:
    """The aggressor's side by its word."""
    if text[here] == 98 and text[here + P1] == 117 and text[here + P2] == 121:
        row[at.SIDE] = 1
        return here + P3
    if text[here] == 115 and text[here + P1] == 101 and text[here + P2] == 108 and text[here + P3] == 108:
        row[at.SIDE] = -1
        return here + P4
    return NO_PLACE


@njit_inline
def _further(text: U8, here: Any) -> Any:
    """The place behind one more text of a list."""
    if text[here] != COMMA or text[here + P1] != QUOTE:
        return NO_PLACE
    here = _text_end(text, here + P2, QUOTE)
    return here if here == NO_PLACE else here + P1


@njit_no_alloc
def _levels(
    text: U8, here: Any, which: int, more: int, decimals: I64, side: I8, price: I64, size: I64, rows: int
) -> tuple[int, Any]:
    """A list of `["price","size"]`, with `more` texts in each; the number of levels so far, and the place behind."""
    if text[here] != OPEN:
        return rows, NO_PLACE
    here += P1
    if text[here] == CLOSE:
        return rows, here + P1
    while True:
        if text[here] != OPEN or text[here + P1] != QUOTE:
            return rows, NO_PLACE
        units, here = _decimal(text, here + P2, decimals[0])
        if here == NO_PLACE or units == 0:
            return rows, NO_PLACE
        if text[here] != QUOTE or text[here + P1] != COMMA or text[here + P2] != QUOTE:
            return rows, NO_PLACE
        amount, here = _decimal(text, here + P3, decimals[1])
        if here == NO_PLACE or text[here] != QUOTE:
            return rows, NO_PLACE
        here += P1
        for _ in range(more):
            here = _further(text, here)
            if here == NO_PLACE:
                return rows, NO_PLACE
        if text[here] != CLOSE:
            return rows, NO_PLACE
        if side.size > 0:
            side[rows] = which
            price[rows] = units
            size[rows] = amount
        rows += 1
        here += P1
        if text[here] == CLOSE:
            return rows, here + P1
        if text[here] != COMMA:
            return rows, NO_PLACE
        here += P1
