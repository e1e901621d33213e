"""Archive files that tests write, and what the pipeline's door makes of them."""

import gzip
import zipfile
from pathlib import Path

import orjson

from ml.core.instruments import Instrument
from ml.market.decode.events import RawFrame
from ml.market.files import captures
from ml.market.files.frame_routing import Line, described
from ml.market.venues.dialects import dialect, route


def packed(path: Path, text: str) -> Path:
    """Write a file as its name says: zip, gzip or plain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.stem, text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def docs(path: Path) -> list[dict]:
    """The payloads of a file that is wholly readable."""
    items = list(captures.read(path))
    assert all(isinstance(item, RawFrame) for item in items), items
    return [orjson.loads(item.payload) for item in items]


def documents(path: Path):
    """Every frame of a file with its JSON, venue and symbol; and the lines that are none."""
    for item in captures.read(path):
        read = described(item) if isinstance(item, RawFrame) else Line(item[0], item[2], item[1])
        if isinstance(read, Line):
            yield read
        else:
            doc = orjson.loads(item.payload)
            yield item, doc, *route(doc, item.conn)


def refused(path: Path) -> list[str]:
    """The reasons for what is quarantined in a file."""
    return [item.error.reason for item in documents(path) if isinstance(item, Line)]


def events(path: Path, price_decimals: int = 2, size_decimals: int = 3) -> list:
    """(venue and symbol, frame, books, trades) of every frame of a file."""
    found = []
    for frame, doc, venue, symbol in documents(path):
        instrument = Instrument(f"{venue}.{symbol}", price_decimals, size_decimals, 1, 1)
        found.append((instrument.id, frame, *dialect(venue).parse(doc, instrument)))
    return found


def trade_rows(path: Path, **decimals: int) -> list:
    """All trades of a file."""
    return [trade for *_, trades in events(path, **decimals) for trade in trades]
