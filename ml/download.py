"""One file from the web, whole or not at all.

Here: asking again, going on where a connection broke, how far what has come is safe on disk.
Not here: which files are wanted and where they go (`ml.fetch`).

Beside the part that has come stands a note: the version of the file (a strong ETag, else its time) and how many bytes
of it were synced. Only those are kept after a kill or a power cut, and only if the server still has that version.
"""

import json
import os
import random
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from ml import store
from ml.errors import StoreError, VenueRefused
from ml.sources import demand_safe

TRIES = 5
"""How often a file is asked for without a byte of it coming."""
BACK_OFF, MAX_WAIT = 0.5, 120
"""Seconds before the second try, doubled for each further one; no longer than the second, whoever asks for it."""
BUSY = (429, 500, 502, 503, 504)
ABSENT = (404, 410)
SYNC_BYTES = 8 << 20
"""A kill costs no more than these."""
TIMEOUTS = (10, 60)
"""Seconds to connect, and between two arrivals."""
SMALL = 1 << 16


class Session(requests.Session):
    """Asks again when a server is busy; every address is checked, also one that a server points to."""

    def __init__(self) -> None:
        super().__init__()
        again = Retry(
            TRIES - 1, status_forcelist=BUSY, backoff_factor=BACK_OFF, backoff_jitter=BACK_OFF, backoff_max=MAX_WAIT,
            retry_after_max=MAX_WAIT, raise_on_status=False,
        )  # fmt: skip
        self.mount("https://", HTTPAdapter(max_retries=again))
        self.mount("http://", HTTPAdapter(max_retries=again))
        self.headers["Accept-Encoding"] = "identity"  # bytes as they lie there: checksums are of those

    def get_adapter(self, url: Any) -> Any:
        """The adapter of an address, as requests looks it up for each hop.

        Raises:
            SettingsError: it is not safe to ask.
        """
        demand_safe(str(url))
        return super().get_adapter(url)


def small(session: Session, url: str) -> bytes | None:
    """A small file; None if it is not there.

    Raises:
        VenueRefused: there was no answer, or an error.
    """
    try:
        with _asked(session, url, {}) as answer:
            return None if answer.status_code in ABSENT else answer.raw.read(SMALL, decode_content=False)
    except HTTPError as error:
        raise VenueRefused(f"{url}: the connection broke: {error}.") from error


def fetch(session: Session, url: str, part: Path) -> bool:
    """Bring a file to `part`, synced, going on with what of it is there; False if the server does not have it.

    Raises:
        VenueRefused: there was no answer, or an error; what has come is kept for the next time.
        StoreError: the disk is full or failed.
    """
    failures = 0
    while True:
        before = _synced(part)[1]
        try:
            return _go_on(session, url, part)
        except _Cut as cut:
            failures = 1 if _synced(part)[1] > before else failures + 1
            if failures == TRIES:
                raise VenueRefused(f"{url}: the connection broke {TRIES} times in a row: {cut}.") from cut
            sleep(BACK_OFF * 2**failures * random.uniform(0.5, 1))  # noqa: S311 - no secret depends on it
        except OSError as error:
            raise StoreError(f"{url} could not be stored as {part}: {error}. See that the disk has room.") from error


def forget(part: Path) -> None:
    """Remove what has come of a file, and the note of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


class _Cut(Exception):
    """The connection broke inside the body of an answer."""


def _go_on(session: Session, url: str, part: Path) -> bool:
    version, synced = _synced(part)
    wanted = {"Range": f"bytes={synced}-", "If-Range": version} if version and synced else {}
    with _asked(session, url, wanted) as answer:
        if answer.status_code in ABSENT:
            forget(part)
            return False
        if answer.status_code == 416:  # nothing lies behind what has come: it is all, or another file
            if answer.headers.get("Content-Range", "") == f"bytes */{synced}":
                return True
            forget(part)
            raise _Cut(f"{url} is shorter than what came of it")
        goes_on = _goes_on(answer, version, synced)
        if not goes_on:
            forget(part)
            if answer.status_code == 206:
                raise _Cut(f"{url}: the server gave another part than was asked for")
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if goes_on else "wb") as sink:
            sink.truncate(synced if goes_on else 0)
            sink.seek(0, os.SEEK_END)
            _receive(answer, url, sink, part)
    return True


def _receive(answer: requests.Response, url: str, sink: BinaryIO, part: Path) -> None:
    """Write what comes; what came is safe also where the connection breaks."""
    version, unsynced = _version(answer), 0
    try:
        for chunk in _body(answer, url):
            unsynced += sink.write(chunk)
            if unsynced >= SYNC_BYTES:
                _sync(sink, part, version)
                unsynced = 0
    finally:
        _sync(sink, part, version)


def _sync(sink: BinaryIO, part: Path, version: str) -> None:
    sink.flush()
    os.fsync(sink.fileno())
    store.write_text(_note(part), json.dumps({"version": version, "synced": sink.tell()}))


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".note")


def _synced(part: Path) -> tuple[str, int]:
    """Version of a part and how many bytes of it are safe; nothing if there is no such part."""
    try:
        note = json.loads(_note(part).read_text())
        version, synced = str(note["version"]), int(note["synced"])
        return (version, synced) if part.stat().st_size >= synced else ("", 0)
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _version(answer: requests.Response) -> str:
    """What If-Range may compare: a weak ETag does not promise the same bytes."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _goes_on(answer: requests.Response, version: str, synced: int) -> bool:
    """Whether the answer is the rest of what has come, of the same version."""
    span = answer.headers.get("Content-Range", "")
    return answer.status_code == 206 and span.startswith(f"bytes {synced}-") and _version(answer) in ("", version)


@contextmanager
def _asked(session: Session, url: str, headers: dict[str, str]) -> Generator[requests.Response]:
    try:
        answer = session.get(url, headers=headers, stream=True, timeout=TIMEOUTS)
    except requests.RequestException as error:
        raise VenueRefused(f"{url} did not answer: {error}.") from error
    with closing(answer):
        if answer.status_code not in (200, 206, 416, *ABSENT):
            raise VenueRefused(f"{url} answered {answer.status_code} {answer.reason}.")
        yield answer


def _body(answer: requests.Response, url: str) -> Iterator[bytes]:
    """The bytes of an answer as they were sent."""
    try:
        yield from answer.raw.stream(SMALL, decode_content=False)
    except HTTPError as error:
        raise _Cut(f"{url}: {error}") from error
