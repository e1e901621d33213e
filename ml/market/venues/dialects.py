"""Which venue speaks how.

Here: the list of dialects, and finding the one that a frame is written in.
Add here: a venue's module.
"""

from types import ModuleType
from typing import Any

from ml.errors import FrameError, InstrumentError
from ml.market.venues import binance, bybit, okx

BOOK, TRADE, SNAPSHOT_ASKED, LOSS, OTHER = "book", "trade", "snapshot", "loss", "other"
"""Kinds of frame: book message of the stream, prints, snapshot that was asked for (REST), a note of the capture that
frames may be missing here, anything else."""
MOVING = (BOOK, TRADE)
"""Kinds whose time moves the watermark."""

DIALECTS: dict[str, ModuleType] = {venue: module for module in (binance, bybit, okx) for venue in module.VENUES}


def dialect(venue: str) -> ModuleType:
    """The module that parses a venue's frames.

    Raises:
        InstrumentError: no such venue.
    """
    if venue not in DIALECTS:
        raise InstrumentError(f"Venue {venue} is not supported. Supported are {', '.join(DIALECTS)}.")
    return DIALECTS[venue]


def kind(doc: dict[str, Any], module: ModuleType) -> str:
    """The kind of a frame that `route` accepted."""
    return LOSS if LOSS in doc else module.kind(doc)


def route(doc: Any, conn: str) -> tuple[str, str | None] | None:
    """Venue and symbol of a frame; symbol None where the frame does not name it; None for an acknowledgement.

    Raises:
        FrameError: no supported venue sends such a frame.
    """
    if not isinstance(doc, dict):
        raise FrameError("unknown_frame", "not a JSON object")
    if LOSS in doc:
        return conn.partition(" ")[0], str(doc.get("symbol"))
    if "topic" in doc:
        return bybit.route(doc, conn)
    if "stream" in doc or "lastUpdateId" in doc:
        return binance.route(doc, conn)
    if "arg" in doc and "data" in doc:
        return okx.route(doc, conn)
    if "event" in doc or "success" in doc or ("result" in doc and "id" in doc) or "op" in doc:
        return None
    raise FrameError("unknown_frame", f"no supported venue writes this: {str(doc)[:80]}")
