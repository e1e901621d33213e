"""Trades that no shape reads, between books that shapes do read: parsed first, so that the books stay one run.

Here: which frames hold nothing but new trades, and counting them.
Not here: intervals (`ml.market.bulk.bulk_decode`), any other frame (`ml.market.decode.decoder` takes them, one by one).

Bybit writes several trades in a message, under ids that do not grow.
"""

from typing import Any

import numpy as np
import orjson

from ml.core.errors import FrameError
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import Frames
from ml.market.bulk.shapes import I64
from ml.market.decode.decoded import TradeEvent
from ml.market.decode.decoder import COVERS, Decoder, see_that_it_fits
from ml.market.decode.events import Trade
from ml.market.venues.dialects import TRADE

PARSED = -1
"""The kind of a frame that no shape reads, and whose trades, all of them new, the ordinary parser has read."""


def parsed(decoder: Decoder, frames: Frames, fields: I64) -> tuple[I64, dict[int, list[Trade]]]:
    """The fields of scanned frames with those marked that hold new trades, and these trades by the frame's number.

    Where shapes read trades, an odd one among them is left to the decoder.
    """
    kinds = fields[:, at.KIND]
    found = dict[int, list[Trade]]()
    seen = set[str]()
    declined = np.flatnonzero(kinds == at.DECLINED)
    if not len(declined) or (kinds == at.TRADE).any() or not (kinds == at.BOOK).any():
        return fields, found
    decoder.catch_up_trades()
    fields = fields.copy()
    for k in declined.tolist():
        read = _unseen(decoder, orjson.loads(frames.payload(k)), seen)
        if read is not None:
            fields[k, at.KIND], (fields[k, at.EVENT], found[k]) = PARSED, read
    return fields, found


def counted(decoder: Decoder, trades: list[Trade], late: int) -> TradeEvent:
    """Have the decoder take the new trades of one frame."""
    for trade in trades:
        decoder.remember(trade)
    decoder.forget()
    decoder.tally.trades += len(trades)
    return TradeEvent(trades, max(trade.event_ts for trade in trades), late)


def _unseen(decoder: Decoder, doc: dict[str, Any], seen: set[str]) -> tuple[int, list[Trade]] | None:
    """Time and trades of a frame; None if it holds anything else, or an id that is remembered or was `seen`.

    Also None where ids tell which trades are missing: the decoder follows them.
    """
    if decoder.counts_trades or COVERS in doc or decoder.dialect.kind(doc) != TRADE:
        return None
    try:
        frame_ts, (books, trades) = decoder.dialect.event_ts(doc), decoder.dialect.parse(doc, decoder.instrument)
        see_that_it_fits(books, trades)
    except FrameError:
        return None
    fit = [trade for trade in trades if isinstance(trade, Trade)]
    ids = {trade.trade_id for trade in fit}
    again = bool(ids & seen) or any(trade_id in decoder.recent_trades for trade_id in ids)
    seen |= ids  # also those of a frame that the decoder takes
    return None if books or again or not trades or len(ids) < len(trades) else (frame_ts, fit)
