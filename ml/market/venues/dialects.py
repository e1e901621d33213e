"""Which venue speaks how.

Here: the list of dialects, and finding the one that a frame is written in.
Add here: a venue's module.
"""

from types import ModuleType
from typing import Any

from ml.errors import FrameError, InstrumentError
from ml.market.venues import binance, bybit

BOOK, TRADE, SNAPSHOT_ASKED, OTHER = "book", "trade", "snapshot", "other"
"""Kinds of frame: book message of the stream, prints, snapshot that was asked for (REST), anything else."""
MOVING = (BOOK, TRADE)
"""Kinds whose time moves the watermark."""

DIALECTS: dict[str, ModuleType] = {venue: module for module in (binance, bybit) for venue in module.VENUES}


def dialect(venue: str) -> ModuleType:
    """The module that parses a venue's frames.

    Raises:
        InstrumentError: no such venue.
    """
    if venue not in DIALECTS:
        raise InstrumentError(f"Venue {venue} is not supported. Supported are {', '.join(DIALECTS)}.")
    return DIALECTS[venue]


def route(doc: Any, conn: str) -> tuple[str, str | None] | None:
    """Venue and symbol of a frame; symbol None where the frame does not name it; None for an acknowledgement.

    Raises:
        FrameError: no supported venue sends such a frame.
    """
    if not isinstance(doc, dict):
        raise FrameError("unknown_frame", "not a JSON object")
    if "topic" in doc:
        return bybit.route(doc, conn)
    if "stream" in doc or "lastUpdateId" in doc:
        return binance.route(doc, conn)
    if "success" in doc or ("result" in doc and "id" in doc) or "op" in doc:
        return None
    raise FrameError("unknown_frame", f"neither Binance nor Bybit: {str(doc)[:80]}")
