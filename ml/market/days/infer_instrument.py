"""Infers decimals, tick and lot of an instrument from its captures, once, before it is configured.

The tick is the greatest common divisor of all prices seen, the lot that of all sizes. Nothing is inferred while the
pipeline runs; the configuration belongs to `ml.core.config`.
"""

from collections.abc import Callable
from itertools import product
from math import gcd
from typing import Any

import numpy as np
import orjson

from ml.core.errors import FrameError, InstrumentError
from ml.core.instruments import Instrument
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import scanned, tried_on
from ml.market.bulk.shapes import I64
from ml.market.decode.events import Trade
from ml.market.files.capture_sequence import CaptureSequence
from ml.market.venues.dialects import dialect

FINEST = 12
SCANNED = (10, 8)
"""Decimals of prices and of sizes with which compiled code reads: what needs more, or has too many digits before the
point for them, is left to the ordinary parser."""
COARSER = (FINEST, 8, 4, 0)
"""Decimals that the ordinary parser tries in turn: a large number fits 64 bits with few decimals only."""


def infer_instrument(
    chain: CaptureSequence, instrument_id: str, tell: Callable[[int], None] | None = None
) -> Instrument:
    """The coarsest decimals, tick and lot that hold every price and size in the chain exactly.

    `tell` is told now and then how many frames were read.

    Raises:
        InstrumentError: the captures hold no price of the instrument.
    """
    price = 0
    size = 0
    count = 0
    venue = instrument_id.partition(".")[0]
    for run in chain.of(instrument_id).runs(instrument_id, SCANNED):
        count += run.length
        if tell is not None:
            tell(count)
        fields, levels = run.read or scanned(run.frames, tried_on([venue])[0], SCANNED)
        trades = fields[fields[:, at.KIND] == at.TRADE]
        price = gcd(price, *_steps(SCANNED[0], levels.price, trades[:, at.PRICE]))
        size = gcd(size, *_steps(SCANNED[1], levels.size, trades[:, at.SIZE]))
        for k in np.flatnonzero(fields[:, at.KIND] == at.DECLINED).tolist():
            prices, sizes = _numbers(orjson.loads(run.frames.payload(k)), instrument_id)
            price = gcd(price, *prices)
            size = gcd(size, *sizes)
    if price == 0 or size == 0:
        raise InstrumentError(
            f"{instrument_id}: no price in the captures, so its decimals are unknown. Add it to lobforge.toml by hand."
        )
    price_decimals, tick = _decimals(price)
    size_decimals, lot = _decimals(size)
    return Instrument(instrument_id, price_decimals, size_decimals, tick, lot)


def _steps(decimals: int, *columns: I64) -> list[int]:
    """The greatest common divisor of each column, in units of 10^-FINEST."""
    return [int(np.gcd.reduce(column, initial=0)) * 10 ** (FINEST - decimals) for column in columns]


def _numbers(doc: dict[str, Any], instrument_id: str) -> tuple[list[int], list[int]]:
    """Prices and sizes of a frame that compiled code does not read, in units of 10^-FINEST."""
    read = dialect(instrument_id.partition(".")[0])
    for price_decimals, size_decimals in product(COARSER, COARSER):
        try:
            books, trades = read.parse(doc, Instrument(instrument_id, price_decimals, size_decimals, tick=1, lot=1))
        except FrameError as error:
            if error.reason == "bad_number":
                continue
            break
        known = [trade for trade in trades if isinstance(trade, Trade)]
        prices = [price for message in books for price in message.price] + [trade.price for trade in known]
        sizes = [size for message in books for size in message.size] + [trade.size for trade in known]
        price_unit = 10 ** (FINEST - price_decimals)
        size_unit = 10 ** (FINEST - size_decimals)
        return [price * price_unit for price in prices], [size * size_unit for size in sizes]
    return [], []  # the decoder quarantines it, with its offset


def _decimals(step: int) -> tuple[int, int]:
    """Decimals and count of a step in units of 10^-FINEST."""
    decimals = FINEST
    while decimals > 0 and step % 10 == 0:
        step //= 10
        decimals -= 1
    return decimals, step
