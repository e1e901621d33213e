"""Reading an instrument's decimals, tick and lot off its captures, once, before it is listed.

Here: the greatest common divisor of all prices and sizes seen.
Not here: listing (`ml.config`); nothing is inferred while the pipeline runs.
"""

from math import gcd

from ml.errors import FrameError, InstrumentError
from ml.instruments import Instrument
from ml.market.chain import Chain
from ml.market.events import Trade
from ml.market.venues.dialects import dialect

FINEST = 12


def survey(chain: Chain, instrument_id: str) -> Instrument:
    """The coarsest decimals, tick and lot that hold every price and size in the chain exactly.

    Raises:
        InstrumentError: the captures hold no price of the instrument.
    """
    finest = Instrument(instrument_id, price_decimals=FINEST, size_decimals=FINEST, tick=1, lot=1)
    parse = dialect(finest.venue).parse
    price, size = 0, 0
    for arrived in chain.of(instrument_id).frames(instrument_id):
        try:
            books, prints = parse(arrived.doc, finest)
        except FrameError:
            continue  # set aside by the decoder, with its offset
        for message in books:
            price, size = gcd(price, *message.price), gcd(size, *message.size)
        for trade in prints:
            if isinstance(trade, Trade):
                price, size = gcd(price, trade.price), gcd(size, trade.size)
    if price == 0 or size == 0:
        raise InstrumentError(
            f"{instrument_id}: no price in the captures, so its decimals are unknown. List it by hand."
        )
    price_decimals, tick = _decimals(price)
    size_decimals, lot = _decimals(size)
    return Instrument(instrument_id, price_decimals, size_decimals, tick, lot)


def _decimals(step: int) -> tuple[int, int]:
    """Decimals and count of a step in units of 10^-12."""
    decimals = FINEST
    while decimals > 0 and step % 10 == 0:
        step //= 10
        decimals -= 1
    return decimals, step
