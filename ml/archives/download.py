"""Downloads one file, completely or not at all.

Requests are retried, and broken downloads resumed if the server still has the same version of the file. Partial
downloads belong to `ml.archives.download_state`, which files to fetch to `ml.archives.fetch`.
"""

import random
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from time import sleep
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from ml.archives.download_state import Part
from ml.core.errors import StoreError, VenueRefused
from ml.core.sources import demand_safe

TRIES = 5
"""How often a file is asked for without a byte of it coming."""
BACK_OFF = 0.5
MAX_WAIT = 120
"""Seconds before the second try, doubled for each further one; no longer than the second, whoever asks for it."""
BUSY = (429, 500, 502, 503, 504)
ABSENT = (404, 410)
TIMEOUTS = (10, 60)
"""Seconds to connect, and between two arrivals."""
SMALL = 1 << 16


class Session(requests.Session):
    """Asks again when a server is busy; every address is checked, also one that a server points to."""

    def __init__(self) -> None:
        super().__init__()
        again = Retry(
            TRIES - 1,
            status_forcelist=BUSY,
            backoff_factor=BACK_OFF,
            backoff_jitter=BACK_OFF,
            backoff_max=MAX_WAIT,
            retry_after_max=MAX_WAIT,
            raise_on_status=False,
        )
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


def fetch(session: Session, url: str, part: Part) -> bool:
    """Bring a file to its part, synced, going on with what has come; False if the server does not have it.

    Raises:
        VenueRefused: there was no answer, or an error; what has come is kept for the next time.
        StoreError: the disk is full or failed.
    """
    failures = 0
    while True:
        before = part.read().synced
        try:
            return _go_on(session, url, part)
        except _Cut as cut:
            failures = 1 if part.read().synced > before else failures + 1
            if failures == TRIES:
                raise VenueRefused(
                    f"{url}: the connection broke {TRIES} times in a row: {cut}. Try again later."
                ) from cut
            sleep(BACK_OFF * 2**failures * random.uniform(0.5, 1))  # noqa: S311 - no secret depends on it
        except OSError as error:
            raise StoreError(
                f"{url} could not be stored as {part.path}: {error}. Check the free space of the disk."
            ) from error


class _Cut(Exception):
    """The connection broke inside the body of an answer."""


def _go_on(session: Session, url: str, part: Part) -> bool:
    come = part.read()
    wanted = {"Range": f"bytes={come.synced}-", "If-Range": come.version} if come.version and come.synced else {}
    with _asked(session, url, wanted) as answer:
        span = answer.headers.get("Content-Range", "")
        if answer.status_code == 416 and span == f"bytes */{come.synced}":
            return True  # nothing lies behind what has come: it is all
        goes_on = answer.status_code == 206 and span.startswith(f"bytes {come.synced}-")
        goes_on = goes_on and _version(answer) in ("", come.version)
        if not goes_on:
            part.forget()
            if answer.status_code in ABSENT:
                return False
            if answer.status_code != 200:
                raise _Cut(f"{url}: the server sent a different range than requested")
        part.receive(_body(answer, url), come.version if goes_on else _version(answer))
    return True


def _version(answer: requests.Response) -> str:
    """What If-Range may compare: a weak ETag does not promise the same bytes."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


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
