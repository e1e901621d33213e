"""Lengths of time in nanoseconds, UTC dates (YYYY-MM-DD) and their bounds.

Partitions belong to `assets.partitions`, the sample grid within a day to `ml.market`.
"""

from datetime import UTC, datetime

from ml.core.errors import SettingsError

MS = 10**6
SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY_NS = 24 * HOUR


def bounds(date: str) -> tuple[int, int]:
    """Start and end of a UTC date (YYYY-MM-DD) in ns."""
    start = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * SECOND
    return start, start + DAY_NS


def text_of(ts: int) -> str:
    """A time in ns as people read it: UTC, to the second."""
    return datetime.fromtimestamp(ts // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def ns_of(text: str) -> int:
    """The ns of a time as people write it (ISO 8601); UTC, unless it names another zone.

    Raises:
        SettingsError: it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no time. Write it like 2025-03-04T12:00:00.") from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * SECOND


def date_of(ts: int) -> str:
    """UTC date (YYYY-MM-DD) of a time in ns."""
    return datetime.fromtimestamp(ts // SECOND, UTC).date().isoformat()
