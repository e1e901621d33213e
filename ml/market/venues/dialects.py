"""The list of venue parsers, and finding the one for a frame. Add a module for a new venue, and list it here."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ml.core.errors import FrameError, InstrumentError
from ml.core.instruments import Instrument
from ml.market.decode.events import BookMessage, Trade
from ml.market.files.archives import dialect as archived
from ml.market.venues import binance, bybit, okx
from ml.market.venues.levels import Levels, check_levels

BOOK = "book"
TRADE = "trade"
SNAPSHOT_ASKED = "snapshot"
LOSS = "loss"
OTHER = "other"
"""Kinds of frame: book message of the stream, trades, snapshot that was asked for (REST), a note of the capture that
frames may be missing here, anything else."""
ARCHIVE = "archive"
"""The key by which a message of an archive is known."""
MOVING = (BOOK, TRADE)
"""Kinds whose time moves the watermark."""

DIALECTS: dict[str, ModuleType] = {
    venue: module for module in (binance, bybit, okx, archived) for venue in module.VENUES
}


@dataclass(frozen=True)
class Dialect:
    """How frames of one venue are read: by its own module, or as a message of an archive, which says so."""

    own: ModuleType

    def of(self, doc: dict[str, Any]) -> ModuleType:
        """The module that reads a frame."""
        return archived if ARCHIVE in doc else self.own

    def kind(self, doc: dict[str, Any]) -> str:
        """The kind of a frame that `route` accepted."""
        return LOSS if LOSS in doc else self.of(doc).kind(doc)

    def stream(self, doc: dict[str, Any]) -> str:
        """The name of the stream that a frame belongs to: frames of one kind and one name have one counter of ids."""
        return LOSS if LOSS in doc else self.of(doc).stream(doc)

    def begins(self, doc: dict[str, Any]) -> bool:
        """Whether a book message replaces the book: a snapshot in the stream."""
        return self.of(doc).begins(doc)

    def event_ts(self, doc: dict[str, Any]) -> int:
        """Event time in ns UTC; raises FrameError where there is none."""
        return self.of(doc).event_ts(doc)

    def outline(self, doc: dict[str, Any]) -> list[BookMessage]:
        """Book messages without their levels; raises FrameError for an invalid field."""
        return self.of(doc).outline(doc)

    def check(self, doc: dict[str, Any]) -> list[tuple[Levels, Levels]]:
        """Bids and asks of each book message; raises FrameError for levels that no book can take."""
        found = self.own.sides(doc)
        for both in found:
            try:
                check_levels(*both)
            except (TypeError, ValueError, AttributeError) as error:
                raise FrameError("bad_frame", f"{type(error).__name__}: {error}") from error
        return found

    def parse(self, doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
        """Book messages and trades; raises FrameError for an invalid field."""
        return self.of(doc).parse(doc, instrument)


def dialect(venue: str) -> Dialect:
    """How a venue's frames are read.

    Raises:
        InstrumentError: no such venue.
    """
    if venue not in DIALECTS:
        raise InstrumentError(f"Venue {venue} is not supported. Available: {', '.join(DIALECTS)}.")
    return Dialect(DIALECTS[venue])


def route(doc: Any, conn: str) -> tuple[str, str | None] | None:
    """Venue and symbol of a frame; symbol None where the frame does not name it; None for what `passed_over` names.

    Raises:
        FrameError: no supported venue sends such a frame.
    """
    if conn.startswith("http") and not (isinstance(doc, dict) and "lastUpdateId" in doc):
        return None  # an answer that a collector asked for
    if not isinstance(doc, dict):
        raise FrameError("unknown_frame", "not a JSON object")
    routed = _route(doc, conn)
    if routed is not None and routed[1] == "":
        raise FrameError("unknown_frame", f"an empty symbol: {str(doc)[:80]}")
    return routed


def passed_over(conn: str) -> str:
    """What a frame is that `route` gives no venue: the answer to a request, by its address, or an acknowledgement."""
    return conn.partition("?")[0] if conn.startswith("http") else "acknowledgement"


def guessed(doc: dict[str, Any], conn: str) -> bool:
    """Whether the venue of a frame that `route` accepted is a guess, which the other frames of its file may correct."""
    return LOSS not in doc and ("stream" in doc or "lastUpdateId" in doc) and binance.guessed(doc, conn)


def _route(doc: dict[str, Any], conn: str) -> tuple[str, str | None] | None:
    if LOSS in doc:
        venue = conn.partition(" ")[0]
        symbol = doc.get("symbol")
        if venue not in DIALECTS or not isinstance(symbol, str):
            raise FrameError("unknown_frame", f"a note of a loss without venue and symbol: {str(doc)[:80]}")
        return venue, symbol
    if ARCHIVE in doc:
        venue, symbol = archived.route(doc, conn)
        if venue not in DIALECTS:
            raise FrameError("wrong_venue", f"an archive of {venue!r}, which is not supported")
        return venue, symbol
    if "topic" in doc:
        return bybit.route(doc, conn)
    if "stream" in doc or "lastUpdateId" in doc:
        return binance.route(doc, conn)
    if "arg" in doc and "data" in doc:
        return okx.route(doc, conn)
    if "event" in doc or "success" in doc or ("result" in doc and "id" in doc) or "op" in doc:
        return None
    raise FrameError("unknown_frame", f"no supported venue writes this: {str(doc)[:80]}")
