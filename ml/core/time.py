"""Lengths of time in nanoseconds, UTC dates (YYYY-MM-DD) and their bounds.

Partitions belong to `assets.partitions`, the sample grid within a day to `ml.market`.
"""

from datetime import UTC, datetime

MS = 10**6
SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY_NS = 24 * HOUR


def bounds(date: str) -> tuple[int, int]:
    """Start and end of a UTC date (YYYY-MM-DD) in ns."""
    start = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * SECOND
    return start, start + DAY_NS


def date_of(ts: int) -> str:
    """UTC date (YYYY-MM-DD) of a time in ns."""
    return datetime.fromtimestamp(ts // SECOND, UTC).date().isoformat()
