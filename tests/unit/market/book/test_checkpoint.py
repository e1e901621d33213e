"""Checkpoints: going on from bytes is going on, and the bytes depend on the recent past alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.time import SECOND
from ml.market.book import layout
from ml.market.book.checkpoint import pack, unpack
from ml.market.book.feed import Feed
from tests.support.examples import examples
from tests.support.scenario import diff, snapshot
from tests.unit.market.decode.streams import BTC, DEEP, STEPS, T, frames, ids_taken

JOINT = 10_000
"""Update id of the snapshot that lies more than an hour before the checkpoint."""


def fed(stream, feed=None):
    """A feed that was offered some frames."""
    feed = feed or Feed.of(BTC)
    for doc, recv_ts in stream:
        feed.offer(doc, recv_ts)
    return feed


def packed(feed):
    return pack(feed.decoder, feed.sampler)


def again(data):
    """A feed that goes on from bytes."""
    return Feed(*unpack(data, BTC))


@settings(max_examples=examples(40, 150), deadline=None)
@given(STEPS, STEPS)
def test_a_stream_cut_anywhere_goes_on_as_if_whole(before, after):
    """Samples, what is released, and the state at the end are the same bits, whatever the cut falls into."""
    stream = frames([*before, *after])
    cut = 2 + len(before)
    whole = fed(stream)
    resumed = fed(stream[cut:], again(packed(fed(stream[:cut]))))
    np.testing.assert_array_equal(resumed.sampler.samples, whole.sampler.samples)
    assert resumed.sampler.released == whole.sampler.released
    assert packed(resumed) == packed(whole)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_packing_what_was_unpacked_gives_the_same_bytes(steps):
    """Nothing is lost and nothing is added."""
    data = packed(fed(frames(steps)))
    assert packed(again(data)) == data


def since_the_snapshot(more_bids=()):
    """An hour and a half from a snapshot on, a diff per minute; by then all that lies before must be forgotten."""
    bids, asks = DEEP
    docs = [diff(JOINT, JOINT - 1, T + 60_000), snapshot(JOINT, T + 60_000, [*bids, *more_bids], asks)]
    for k in range(1, 96):
        docs.append(diff(JOINT + k, JOINT + k - 1, T + 60_000 + 60_000 * k, bids=[("98.0", f"{k % 3}.000")]))
    return [(doc, (T + 60_000 + 60_000 * k) * 10**6) for k, doc in enumerate(docs)]


@settings(max_examples=40, deadline=None)
@given(STEPS, st.booleans())
def test_the_bytes_do_not_depend_on_where_the_reading_began(steps, joined):
    """Frames before a snapshot that lies an hour and a half back leave no trace, with or without a gap after them."""
    first = JOINT - 1 - ids_taken(steps) - (not joined)
    start = T - 120_000
    assert packed(fed([*frames(steps, first, start), *since_the_snapshot()])) == packed(fed(since_the_snapshot()))


def test_the_bytes_tell_a_book_that_differs_by_one_level():
    """A checkpoint that could not tell books apart would pass every test above."""
    other = since_the_snapshot([("50.0", "1.000")])
    assert packed(fed(other)) != packed(fed(since_the_snapshot()))


def test_the_tail_is_one_hour():
    """Windows of the next day may look back 3 600 samples, and no run of valid samples is longer than its tail."""
    samples = again(packed(fed(since_the_snapshot()))).sampler.samples
    assert len(samples) == layout.TAIL
    assert samples[-1, layout.RUN] == layout.TAIL
    np.testing.assert_array_equal(samples[:, layout.RUN], np.arange(1, layout.TAIL + 1))


@pytest.mark.parametrize(("minutes", "kept"), [(29, 1_000), (31, 0)])
def test_the_last_trade_is_remembered_while_trades_are_known(minutes, kept):
    """After half an hour without a trade nobody knows them, on whichever side of midnight the last one lay."""
    stream = frames([("trade", 0, 100, 1, True)])
    quiet = [(diff(1 + k, k, T + 60_000 * k), (T + 60_000 * k) * 10**6) for k in range(1, minutes + 1)]
    sampler = again(packed(fed([*stream, *quiet]))).sampler
    sampler.advance((T + 60_000 * minutes) * 10**6 + SECOND)
    assert sampler.samples[-1, layout.LAST_TRADE] == kept


def test_the_first_frames_of_the_next_day_may_repeat_the_last_of_this():
    """A reconnect at midnight sends trades and diffs again; they count once."""
    stream = frames([("diff", 10, [(98, 2)], [], 0), ("trade", 10, 100, 1, True)])
    feed = again(packed(fed(stream)))
    before = feed.sampler.state.flow.copy()
    fed(stream[2:], feed)
    assert feed.decoder.tally.repeats == 2
    np.testing.assert_array_equal(feed.sampler.state.flow, before)


def test_a_book_wider_than_the_window_survives():
    """Levels far from the touch are packed and found again, whatever part of the ladder held them."""
    far = [(f"{price}.0", "1.000") for price in (1, 50, 5_000, 90_000)]
    stream = [
        (diff(1, 0, T), T * 10**6),
        (snapshot(1, T, far, [("90001.0", "1.000"), ("900000.0", "2.000")]), T * 10**6),
    ]
    down = [(diff(2, 1, T + 10, bids=[("90000.0", "0"), ("5000.0", "0")], asks=[("60.0", "1.000")]), T * 10**6)]
    assert packed(fed(down, again(packed(fed(stream))))) == packed(fed([*stream, *down]))


AHEAD = [diff(5, 4, T), snapshot(9, T), diff(7, 5, T + 10), diff(10, 7, T + 20), diff(11, 10, T + 30)]
SPOILT = [*AHEAD, diff(12, 11, T + 40, bids=[("0.0", "1.000")]), diff(13, 12, T + 50), diff(14, 13, T + 60)]


@pytest.mark.parametrize("cut", range(1, len(SPOILT)))
def test_what_the_ids_wait_for_is_remembered(cut):
    """A snapshot ahead of the stream still anchors after the cut; a spoilt frame before it still explains the break."""
    stream = [(doc, (T + 10 * k) * 10**6) for k, doc in enumerate(SPOILT)]
    whole = fed(stream)
    resumed = fed(stream[cut:], again(packed(fed(stream[:cut]))))
    assert packed(resumed) == packed(whole)
    (broken,) = whole.breaks.values()
    assert broken.reason == "bad_frame"
    assert [step.reason for step in resumed.breaks.values()] == ["bad_frame"] * (cut <= 5)
