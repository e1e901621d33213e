"""Parts shared by all venue parsers: price levels as pairs of decimal texts, and stream names.

One loop converts levels to exact units and checks them. The checks are also available alone, for code that follows
the ids of a stream without its levels. Quarantine reasons belong to `ml.market.decode.parse_errors`.
"""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ml.core.errors import FrameError
from ml.core.instruments import Instrument, to_units
from ml.market.decode.events import ASK, BID, BookMessage

Levels = Sequence[Sequence[str]]
"""Price and size per level."""
_PRICE = r"(?:[1-9][0-9]{0,8}+(?:[.][0-9]{1,9}+)?+|0[.]0*+[1-9][0-9]{0,8}+)"
_SIZE = r"[0-9]{1,9}+(?:[.][0-9]{1,9}+)?+"
USUAL = re.compile(f"(?:{_PRICE} {_SIZE};)*+")


def check_levels(*sides: Levels) -> None:
    """Refuse levels that no instrument's book can take: a fast look for usual ones, number by number for others.

    Raises:
        FrameError: as `add_levels`, but for numbers that only the listed decimals refuse.
    """
    for levels in sides:
        text = ";".join([*map(" ".join, levels), ""])
        # the counts tell levels from texts that hold the separators
        if text.count(";") == len(levels) and set(map(len, levels)) <= {2} and USUAL.fullmatch(text):
            continue
        for price_text, size_text in levels:
            if _number(price_text) <= 0:
                raise FrameError("price_zero", f"a level at price {price_text}")
            if _number(size_text) < 0:
                raise FrameError("bad_number", f"size {size_text} is negative")


def add_levels(message: BookMessage, bids: Levels, asks: Levels, instrument: Instrument) -> BookMessage:
    """Append `[price, size]` pairs to a message and return it.

    Raises:
        FrameError: a price of zero or below, a negative size, or a number that does not fit the decimals.
    """
    price_decimals = instrument.price_decimals
    size_decimals = instrument.size_decimals
    for side, levels in ((BID, bids), (ASK, asks)):
        for price_text, size_text in levels:
            price = to_units(price_text, price_decimals)
            if price <= 0:
                raise FrameError("price_zero", f"a level at price {price_text}")
            size = to_units(size_text, size_decimals)
            if size < 0:
                raise FrameError("bad_number", f"size {size_text} is negative")
            message.side.append(side)
            message.price.append(price)
            message.size.append(size)
    return message


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text) if text.isascii() else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number.adjusted() > 18:
        raise FrameError("bad_number", f"{text!r} is not a finite number that fits 64 bits")
    return number


def kind_of(name: Any, kinds: dict[str, str]) -> str:
    """The kind that a venue's name of a stream or channel stands for; `other` for all else that may stand there."""
    return kinds.get(name, "other") if isinstance(name, str) else "other"
