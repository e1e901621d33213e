"""The feed: what a live runner sees, frame by frame, and the intervals over which it may trust the book."""

from itertools import pairwise

from hypothesis import given, settings

from ml.market.book import layout
from ml.market.book.feed import Feed
from tests.support.examples import examples
from tests.support.scenario import diff, snapshot, trade
from tests.unit.market.decode.streams import BTC, STEPS, T, frames

MS = 10**6


def fed(docs):
    """A feed with the frames, and what it quarantined."""
    feed = Feed.of(BTC)
    return feed, [error.reason for k, doc in enumerate(docs) for error in feed.offer(doc, (T + 100 * k) * MS)]


@settings(max_examples=examples(40, 150), deadline=None)
@given(STEPS)
def test_released_samples_are_valid_exactly_inside_the_intervals(steps):
    """Valid at t means start < t <= end of one interval; intervals follow each other, and all but the last ended."""
    feed = Feed.of(BTC)
    for doc, recv_ts in frames(steps):
        feed.offer(doc, recv_ts)
    spans = feed.intervals()
    assert all(span.start_ts <= span.end_ts for span in spans)
    assert all(one.end_ts <= other.start_ts for one, other in pairwise(spans))
    assert all(span.end_reason is not None for span in spans[:-1])
    for row in feed.sampler.samples[: feed.sampler.released]:
        inside = any(span.start_ts < row[layout.TS] <= span.end_ts for span in spans)
        assert bool(row[layout.VALID]) == inside


def test_a_gap_tells_its_ids_and_the_snapshot_that_ends_it():
    """From the last id applied to the one before the refused diff, from the last good message to the new anchor."""
    docs = [diff(5, 4, T), snapshot(5, T), diff(6, 5, T + 1_000), diff(9, 8, T + 3_000), diff(10, 9, T + 4_000)]
    feed, _ = fed(docs)
    gap = {"from_id": 6, "to_id": 8, "start": (T + 1_000) * MS, "end": None, "reason": "sequence_gap"}
    assert feed.gaps() == [gap]
    feed.offer(snapshot(10, T), (T + 500) * MS)
    assert feed.gaps() == [gap | {"end": (T + 4_000) * MS}]
    assert [span.end_reason for span in feed.intervals()] == ["sequence_gap", None]


def test_a_crossed_book_is_a_gap_without_ids():
    """The ids were right and the book was not."""
    docs = [diff(1, 0, T), snapshot(1, T)]
    docs += [diff(2 + k, 1 + k, T + 1_000 * k, bids=[("102.0", "1.000")]) for k in range(3)]
    (gap,) = fed(docs)[0].gaps()
    assert (gap["reason"], gap["from_id"], gap["to_id"]) == ("crossed", None, None)


def test_a_book_that_never_came_is_a_gap_from_the_first_frame():
    """Trades alone give no book."""
    feed, _ = fed([trade(1, T), trade(2, T + 5_000)])
    assert feed.gaps() == [{"from_id": None, "to_id": None, "start": T * MS, "end": None, "reason": "no_snapshot"}]


def test_without_a_time_there_is_no_gap_to_tell():
    """Before the first frame, and where no frame has a time that can be believed."""
    assert Feed.of(BTC).gaps() == []
    feed, refused = fed([diff(1, 0, 3 * T), diff(2, 1, 0)])
    assert (feed.gaps(), refused) == ([], ["clock_ahead", "bad_frame"])


def test_what_is_quarantined_is_returned_and_counts_as_an_arrival():
    """So the arrivals of a live stream are those of the stored day."""
    feed, refused = fed([diff(1, 0, T), trade(1, T, kind="NA"), diff(2, 1, T, bids=[("0.0", "1")]), snapshot(1, T)])
    assert refused == ["off_market", "price_zero"]
    assert feed.arrival == 4
    assert feed.intervals()[-1].start_arrival == 3


def test_the_first_time_is_kept():
    """It is that of the first frame with a time, not of the first book."""
    feed, _ = fed([snapshot(1, T - 9_000), trade(1, T), diff(2, 1, T + 700)])
    assert feed.first_ts == T * MS
