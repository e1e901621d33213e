"""Reading an instrument's decimals, tick and lot off its captures, once, before it is listed.

Here: the greatest common divisor of all prices and sizes seen.
Not here: listing (`ml.config`); nothing is inferred while the pipeline runs.
"""

from math import gcd

import numpy as np
import orjson

from ml.errors import FrameError, InstrumentError
from ml.instruments import Instrument
from ml.market import shapes as at
from ml.market.chain import Chain
from ml.market.events import Trade
from ml.market.frames import scanned, tried_on
from ml.market.shapes import I64
from ml.market.venues.dialects import dialect

FINEST = 12


def survey(chain: Chain, instrument_id: str) -> Instrument:
    """The coarsest decimals, tick and lot that hold every price and size in the chain exactly.

    Raises:
        InstrumentError: the captures hold no price of the instrument.
    """
    finest = Instrument(instrument_id, price_decimals=FINEST, size_decimals=FINEST, tick=1, lot=1)
    price, size = 0, 0
    for run in chain.of(instrument_id).runs(instrument_id, finest.decimals):
        fields, levels = run.read or scanned(run.frames, tried_on([finest.venue])[0], finest.decimals)
        prints = fields[fields[:, at.KIND] == at.TRADE]
        price = gcd(price, *_steps(levels.price, prints[:, at.PRICE]))
        size = gcd(size, *_steps(levels.size, prints[:, at.SIZE]))
        for k in np.flatnonzero(fields[:, at.KIND] == at.DECLINED).tolist():
            prices, sizes = _said(run.frames.payload(k), finest)
            price, size = gcd(price, *prices), gcd(size, *sizes)
    if price == 0 or size == 0:
        raise InstrumentError(
            f"{instrument_id}: no price in the captures, so its decimals are unknown. List it by hand."
        )
    price_decimals, tick = _decimals(price)
    size_decimals, lot = _decimals(size)
    return Instrument(instrument_id, price_decimals, size_decimals, tick, lot)


def _steps(*columns: I64) -> list[int]:
    """The greatest common divisor of each column."""
    return [int(np.gcd.reduce(column, initial=0)) for column in columns]


def _said(payload: bytes, finest: Instrument) -> tuple[list[int], list[int]]:
    """Prices and sizes of a frame that compiled code does not read."""
    try:
        books, prints = dialect(finest.venue).parse(orjson.loads(payload), finest)
    except FrameError:
        return [], []  # set aside by the decoder, with its offset
    known = [trade for trade in prints if isinstance(trade, Trade)]
    prices = [price for message in books for price in message.price] + [trade.price for trade in known]
    return prices, [size for message in books for size in message.size] + [trade.size for trade in known]


def _decimals(step: int) -> tuple[int, int]:
    """Decimals and count of a step in units of 10^-12."""
    decimals = FINEST
    while decimals > 0 and step % 10 == 0:
        step //= 10
        decimals -= 1
    return decimals, step
