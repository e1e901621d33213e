"""What messages of all venues have in common: price levels as pairs of decimal texts, and the name of a stream.

Here: the one loop that turns levels into exact units, with the checks that hold on every venue.
Not here: what raises, and becomes a reason (`ml.market.unfit`).
"""

from collections.abc import Sequence
from typing import Any

from ml.errors import FrameError
from ml.instruments import Instrument, to_units
from ml.market.events import ASK, BID, BookMessage


def add_levels(
    message: BookMessage, bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]], instrument: Instrument
) -> BookMessage:
    """Append `[price, size]` pairs to a message and return it.

    Raises:
        FrameError: a price of zero or below, a negative size, or a number that does not fit the decimals.
    """
    price_decimals, size_decimals = instrument.price_decimals, instrument.size_decimals
    for side, levels in ((BID, bids), (ASK, asks)):
        for price_text, size_text in levels:
            price = to_units(price_text, price_decimals)
            size = to_units(size_text, size_decimals)
            if price <= 0:
                raise FrameError("price_zero", f"a level at price {price_text}")
            if size < 0:
                raise FrameError("bad_number", f"size {size_text} is negative")
            message.side.append(side)
            message.price.append(price)
            message.size.append(size)
    return message


def kind_of(name: Any, kinds: dict[str, str]) -> str:
    """The kind that a venue's name of a stream or channel stands for; `other` for all else that may stand there."""
    return kinds.get(name, "other") if isinstance(name, str) else "other"
