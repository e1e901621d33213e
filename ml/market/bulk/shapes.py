"""The exact shapes in which venues write their most frequent messages, as a table that compiled code follows.

Here: the notation of a shape, and the table of all of them.
Add here: nothing of one venue; its shapes stand in its module.
Not here: following the table (`ml.market.bulk.scanner`).

A shape is the text of a message with fields in angle brackets: `<send>`, `<event>` (times), `<first>`, `<last>`,
`<prev>`, `<id>` (integers), `<price>`, `<size>` (decimal texts), `<maker>` (true: the aggressor sold), `<taker>`
(buy or sell: the aggressor), `<symbol>` (without a dot; `<plain>` without `_`; or, of several parts, what stands from
`<from>` to `<to>`), `<speed>` (of a stream: nothing, or a text that begins with `@`), `<depth>` (of a stream: an
integer), `<bids>`, `<asks>` (lists of levels), `<bids4>`, `<asks4>` (with two more texts in each level), and what is
not kept: `<name>` (up to an `@`, without a slash), `<part>` (up to a dash), `<base>` (up to `_`), `<text>`, `<int>`,
`<fields>` (what follows the first in an object: texts by name, as many as there are).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
LITERAL, STAMP, INTEGER, DECIMAL, MAKER, TAKER, TEXT, NAMED, PLACE, NAME, SPEED, DEPTH, LEVELS, END = range(14)
"""What a step of a shape reads."""
DECLINED, BOOK, TRADE, OTHER = range(4)
"""What a frame is, to compiled code; declined is what the ordinary parser must read."""
(
    KIND,
    SHAPE,
    EVENT,
    SEND,
    FIRST,
    LAST,
    PREV,
    ID,
    PRICE,
    SIZE,
    SIDE,
    SYMBOL,
    SYMBOL_END,
    STREAM,
    STREAM_END,
    FROM,
    ROWS,
    NOWHERE,
) = range(18)
"""The columns of a scanned frame: symbol and stream are places in the text, the levels are the rows from FROM to ROWS,
NOWHERE takes what is not kept."""
FIELDS = NOWHERE + 1
MARK = re.compile(r"<(\w+)>")
STEPS = {
    "send": (STAMP, SEND, 0),
    "event": (STAMP, EVENT, 0),
    "first": (INTEGER, FIRST, 0),
    "last": (INTEGER, LAST, 0),
    "prev": (INTEGER, PREV, 0),
    "id": (INTEGER, ID, 0),
    "int": (INTEGER, NOWHERE, 0),
    "price": (DECIMAL, PRICE, 0),
    "size": (DECIMAL, SIZE, 0),
    "maker": (MAKER, SIDE, 0),
    "taker": (TAKER, SIDE, 0),
    "symbol": (TEXT, SYMBOL, ord(".")),
    "plain": (TEXT, SYMBOL, ord("_")),
    "base": (TEXT, NOWHERE, ord("_")),
    "from": (PLACE, SYMBOL, 0),
    "to": (PLACE, SYMBOL_END, 0),
    "name": (NAME, NOWHERE, 0),
    "speed": (SPEED, STREAM, 0),
    "depth": (DEPTH, STREAM, 0),
    "part": (TEXT, NOWHERE, ord("-")),
    "text": (TEXT, NOWHERE, ord('"')),
    "fields": (NAMED, NOWHERE, 0),
    "bids": (LEVELS, 1, 0),
    "asks": (LEVELS, -1, 0),
    "bids4": (LEVELS, 1, 2),
    "asks4": (LEVELS, -1, 2),
}


@dataclass(frozen=True)
class Shape:
    """One message of one venue: what it is, its text with fields, and the name of its stream.

    What the text holds as `<speed>` or `<depth>` completes that name.
    """

    venue: str
    kind: int
    text: str
    stream: str = ""


class Table(NamedTuple):
    """Shapes for compiled code.

    `steps` i64 (n, 3): what to read, where to, and the length of a literal, the byte at which a text may end beside its
    quote, or how many texts follow price and size of a level.
    `first` step and `kind` of each shape. `literals` one behind the other.
    """

    steps: I64
    first: I64
    kind: I64
    literals: U8


def table(shapes: Sequence[Shape]) -> Table:
    """The table of some shapes."""
    steps: list[tuple[int, int, int]] = []
    first: list[int] = []
    literals = b""
    for shape in shapes:
        first.append(len(steps))
        for position, part in enumerate(MARK.split(shape.text)):
            if position % 2:
                steps.append(STEPS[part])
            elif part:
                steps.append((LITERAL, len(literals), len(part)))
                literals += part.encode()
        steps.append((END, 0, 0))
    kinds = np.array([shape.kind for shape in shapes], np.int64)
    return Table(np.array(steps, np.int64), np.array(first, np.int64), kinds, np.frombuffer(literals, np.uint8).copy())
