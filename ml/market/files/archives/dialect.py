"""The messages of archives as events: the face of a venue's dialect for documents that name an `archive`.

Here: route, kind, time, outline and events of such a document.
Not here: what a row means (the format's module), whose ids follow (`ml.market.decode.continuity`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ml.core.errors import FrameError
from ml.core.instruments import Instrument, to_units
from ml.market.decode.events import BookMessage, Trade, known_ns
from ml.market.decode.parse_errors import UNFIT, guarded, invalid, whole
from ml.market.files.archives.detect import FORMATS
from ml.market.files.archives.table import BOOK, OTHER, SNAPSHOT, TRADE, Format, Row
from ml.market.venues.levels import add_levels

VENUES = ("coinbase-spot", "deribit", "bitmex")
"""Venues that have no stream dialect of their own."""


def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a message.

    Raises:
        FrameError: `unknown_frame` if the document is not one that our readers make.
    """
    rows = doc.get("rows")
    whole = isinstance(rows, list) and rows and all(isinstance(row, str) for row in rows)
    known = isinstance(doc["archive"], str) and doc["archive"] in FORMATS
    if not (whole and known and isinstance(doc.get("symbol"), str)):
        raise FrameError("unknown_frame", f"no message of an archive: {str(doc)[:80]}")
    return conn.partition(" ")[0], doc["symbol"]


def kind(doc: dict[str, Any]) -> str:
    """The kind of a message that `route` accepted, see `dialects`."""
    return _format(doc).kind_of(doc)


def stream(doc: dict[str, Any]) -> str:
    """The archive's format: a file holds one. What is neither book nor trades has its type too: a candle's length."""
    named = str(doc["archive"])
    return f"{named} {doc['type']}" if kind(doc) == OTHER and doc.get("type") else named


def begins(doc: dict[str, Any]) -> bool:
    """Whether a book message replaces the book."""
    return doc.get("type") == "snapshot"


@guarded
def event_ts(doc: dict[str, Any]) -> int:
    """The venue's time in ns UTC, the latest of the message.

    Raises:
        FrameError: `bad_frame` if a row has none.
    """
    form = _format(doc)
    rows = form.rows(doc)
    try:
        stamp = form.latest(rows)
    except (*UNFIT, FrameError):
        if form.kind != TRADE or len(rows) == 1:
            raise
        stamp = max(_times(form, rows), default=0)  # a trade that cannot be read is no fault of those beside it
    if stamp <= 0:
        raise FrameError("bad_frame", f"event time is {stamp}")
    return known_ns(stamp)


@guarded
def outline(doc: dict[str, Any]) -> list[BookMessage]:
    """The book messages of a message without their levels: ids and times.

    Raises:
        FrameError: a field is missing or of the wrong type.
    """
    form = _format(doc)
    said = kind(doc)
    if said not in (BOOK, SNAPSHOT):
        return []
    first = form.rows(doc)[0]
    when = 0 if said == SNAPSHOT else event_ts(doc)
    snapshot = said == SNAPSHOT or doc.get("type") == "snapshot"
    ids = form.ids(first)
    return [BookMessage(snapshot, when, form.send_ts(first), whole(ids.first), whole(ids.last), whole(ids.prev))]


@guarded
def parse(doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
    """Book messages and trades of one message; an invalid trade is returned as its error. Other kinds give neither.

    Raises:
        FrameError: a field is missing or a number is invalid.
    """
    form = _format(doc)
    match kind(doc):
        case "book" | "snapshot":
            return [add_levels(outline(doc)[0], *form.levels(form.rows(doc)), instrument)], []
        case "trade":
            return [], [_trade(form, row, k, doc, instrument) for k, row in enumerate(form.rows(doc))]
        case _:
            return [], []


def _times(form: Format, rows: Sequence[Row]) -> Iterator[int]:
    """The times of the rows that can be read."""
    for row in rows:
        try:
            yield form.event_ts(row)
        except (*UNFIT, FrameError):
            continue


def _format(doc: dict[str, Any]) -> Format:
    return FORMATS[doc["archive"]]


def _trade(form: Format, row: Row, position: int, doc: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    """The trade on a row; a row that cannot be read is no fault of the others of its message."""
    try:
        said = form.trade(row, position, doc)
        price = to_units(said.price, instrument.price_decimals)
        size = to_units(said.size, instrument.size_decimals)
        if not said.market or price <= 0 or size <= 0:
            detail = f"trade {said.trade_id}: price {said.price}, size {said.size}"
            return FrameError("off_market", detail, said.trade_id)
        return Trade(known_ns(form.event_ts(row)), said.trade_id, said.side, price, size)
    except (*UNFIT, FrameError) as error:
        return invalid(error)
