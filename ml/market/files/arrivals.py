"""Which partitions the capture files reach into, and the content they have for each.

Here: one small document that an asset writes after new files came, so that a sensor reads one file and indexes none.
Not here: what is in a file (`ml.market.files.index`), who is told (`pipelines.sensors`).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256

from ml.core.config import Config
from ml.core.errors import CaptureError
from ml.core.paths import DataRoot
from ml.market.files import captures, index
from ml.market.files.index import FileIndex
from ml.storage.durable import write_text

DOCUMENT = "capture_index"
LEAD_IN_NS = 5_460 * 10**9
CLOSING_NS = 60 * 10**9
"""How far a day looks back into the captures before it, and on into those after it."""


@dataclass(frozen=True)
class Arrivals:
    """What the capture files held when they were last indexed.

    Args:
        listing: `listing` of the folder at that time; empty if nothing was indexed yet.
        contents: per partition key (date|instrument) the hash over the capture files that it reads.
        changed: per partition key when its content changed last, ns since 1970; later changes have larger numbers.
    """

    listing: str = ""
    contents: dict[str, str] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)


def listing(config: Config) -> str:
    """Changes with every file that is added, removed or written to, and with the listed instruments and dates.

    No file is opened. Empty where there is no capture file.
    """
    try:
        paths = captures.find(config.captures)
    except CaptureError:
        return ""
    digest = sha256(f"{config.ids} {config.first_date} {config.last_date}".encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def contents(config: Config, files: Iterable[FileIndex]) -> dict[str, str]:
    """Per partition key (date|instrument) the hash over the files that it reads."""
    names = set(config.ids)
    found: dict[str, set[str]] = {}
    for file in files:
        for name, span in file.instruments.items():
            if name in names and span.last_event:
                for date in config.between(span.first_event - CLOSING_NS, span.last_event + LEAD_IN_NS):
                    found.setdefault(f"{date}|{name}", set()).add(file.sha256)
    return {key: sha256("".join(sorted(hashes)).encode()).hexdigest()[:16] for key, hashes in found.items()}


def known(root: DataRoot) -> Arrivals:
    """What was found when the captures were last indexed."""
    path = root.document(DOCUMENT)
    return Arrivals(**json.loads(path.read_text())) if path.exists() else Arrivals()


def update(root: DataRoot, config: Config, now: int) -> Arrivals:
    """Index the files that nobody has indexed yet, and note which partitions have other content than before.

    A change that is found is noted with the time `now`, ns since 1970.
    """
    seen = listing(config)
    before = known(root)
    paths = captures.find(config.captures) if seen else []
    after = contents(config, map(partial(index.load, root), paths))
    stamp = max(now, max(before.changed.values(), default=0) + 1)
    changed = {
        key: before.changed[key] if content == before.contents.get(key) else stamp for key, content in after.items()
    }
    found = Arrivals(seen, after, changed)
    write_text(root.document(DOCUMENT), json.dumps(asdict(found), sort_keys=True))
    return found
