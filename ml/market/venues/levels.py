"""Price levels as venues write them: pairs of decimal texts.

Here: the one loop that turns them into exact units, with the checks that hold on every venue.
"""

from collections.abc import Sequence

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
