"""When trades were captured: the table `trade_validity`, of the same shape as `validity`.

Here: a day's intervals in which every trade was seen, cut to the day. A file that holds every trade of the day, as some
archives do, makes the day known from its first to its last ns.
Not here: what begins and ends one (`ml.market.book.kernel`), when the book was known (`ml.market.days.day`).
"""

from ml.core.time import date_of
from ml.market.book.feed import Interval, trade_intervals
from ml.market.decode.stream import Stream

NEVER = "no_trades_captured"


def trades_known(stream: Stream, start: int, end: int, goes_on: bool) -> list[Interval]:
    """The intervals of a day in which trades were known; one of no length, `no_trades_captured`, where none was seen.

    Args:
        stream: after the day, and the first frames of the next one if there are any.
        start: first ns of the day.
        end: last ns of the day.
        goes_on: whether there are.
    """
    found: list[Interval] = []
    for span in trade_intervals(stream.sampler, stream.breaks):
        if span.end_reason is None:
            span = span._replace(end_ts=end) if goes_on else span._replace(end_reason="capture_end")
        if span.end_ts >= end:
            span = span._replace(end_ts=end, from_id=None, to_id=None, end_reason=None)
        span = span._replace(start_ts=max(span.start_ts, start))
        if span.start_ts <= span.end_ts and span.start_ts < end:
            found.append(span)
    if date_of(start) in stream.decoder.covered:
        found = _joined(found, start, end)
    return found or [Interval(start, start, -1, -1, None, None, NEVER)]


def _joined(spans: list[Interval], start: int, end: int) -> list[Interval]:
    """The same where a file holds every trade of the day: only what is missing in the file itself interrupts them."""
    found = list[Interval]()
    begin = spans[0]._replace(start_ts=start)
    for number, span in enumerate(spans):
        if span.from_id is None and span.end_reason != "bad_frame":
            continue
        found.append(span._replace(start_ts=begin.start_ts, start_arrival=begin.start_arrival))
        if number + 1 == len(spans):
            return found
        begin = spans[number + 1]
    whole = spans[-1]._replace(start_ts=begin.start_ts, start_arrival=begin.start_arrival)
    return [*found, whole._replace(end_ts=end, end_reason=None)]
