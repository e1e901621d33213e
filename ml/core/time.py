"""UTC dates (YYYY-MM-DD) and their bounds in nanoseconds.

Partitions belong to `assets.partitions`, the sample grid within a day to `ml.market`.
"""

from datetime import UTC, datetime

SECOND = 10**9
DAY_NS = 86_400 * SECOND


def bounds(date: str) -> tuple[int, int]:
    """Start and end of a UTC date (YYYY-MM-DD) in ns."""
    start = int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) * SECOND
    return start, start + DAY_NS


def date_of(ts: int) -> str:
    """UTC date (YYYY-MM-DD) of a time in ns."""
    return datetime.fromtimestamp(ts // SECOND, UTC).date().isoformat()
