"""Frames into events: what is quarantined is named, with its number."""

from ml.market.bulk.frames import of_frames
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import RawFrame
from ml.market.decode.stream import Stream, arrivals
from tests.support.scenario import diff, snapshot, trade
from tests.unit.market.bulk.test_scanner import text
from tests.unit.market.decode.streams import BTC, T


def test_errors_come_with_the_number_of_their_frame():
    """Between frames that are decoded in intervals."""
    docs = [diff(2, 1, T), snapshot(2, T), diff(3, 2, T), diff(4, 3, T, [("99.0001", "1")]), trade(1, T, "0.0")]
    docs += [diff(5, 3, T), diff(6, 5, T)]
    frames = of_frames([RawFrame(k, "", T * 10**6, text(doc)) for k, doc in enumerate(docs)])
    stream = Stream.of(BTC)
    log = EventLog()
    refused = [(k, error.reason) for k, error in stream.decode(frames, arrivals(10, len(docs)), log)]
    assert refused == [(3, "off_grid"), (4, "off_market")]
    assert [(k, step.reason, step.from_id, step.to_id) for k, step in stream.breaks.items()] == [(13, "off_grid", 3, 4)]
    assert stream.decoder.tally.book_messages == 2


def test_breaks_are_kept_by_arrival():
    """With the ids that are missing."""
    docs = [diff(2, 1, T), snapshot(2, T), diff(3, 2, T), diff(5, 4, T), diff(6, 5, T)]
    frames = of_frames([RawFrame(k, "", T * 10**6, text(doc)) for k, doc in enumerate(docs)])
    stream = Stream.of(BTC)
    assert list(stream.decode(frames, arrivals(10, len(docs)), EventLog())) == []
    ((arrival, step),) = stream.breaks.items()
    assert (arrival, step.from_id, step.to_id, step.reason) == (13, 3, 4, "sequence_gap")
