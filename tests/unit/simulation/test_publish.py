"""What the venue sends is what the market did: frames, files and the outage."""

import re

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.market.book import layout
from ml.market.book.feed import Feed
from ml.market.book.ladder import levels
from ml.market.book.sampler import Sampler
from ml.market.days.replay import inspect
from ml.market.decode.events import CLEAR, SNAPSHOT, TIME
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plant_files import read_events
from ml.simulation.plants import Alpha
from ml.simulation.publish import FIRST_ID, PUBLISH_MS, Outage, frames, stream_frames, streams, write_captures
from ml.simulation.venue import Market, simulate
from tests.oracles.book import DictBook
from tests.support.scenario import chain_of

START = 1_741_046_100 * 10**9  # 23:55 UTC
SECONDS = 600


@pytest.fixture(scope="module")
def history():
    return simulate(Market(3, SECONDS, Alpha(0.2)))


@pytest.fixture(scope="module")
def whole(history):
    return list(frames(history, START, seed=3))


def fed(arriving):
    feed = Feed.of(INSTRUMENT)
    for recv, text in arriving:
        assert feed.offer(orjson.loads(text), recv) == []
    return feed


def test_the_same_seed_gives_the_same_bytes(history, whole):
    """Latencies too; another seed gives the same frames at other times."""
    assert list(frames(history, START, seed=3)) == whole
    other = list(frames(history, START, seed=4))
    assert sorted(text for _, text in other) == sorted(text for _, text in whole)
    assert other != whole


def test_frames_come_in_order_and_never_before_they_were_sent(whole):
    """Receive times ascend; each lies after the event time in the frame."""
    times = [recv for recv, _ in whole]
    assert times == sorted(times)
    assert all(int(re.search(rb'"T":(\d+)', text)[1]) * 10**6 < recv for recv, text in whole)


def test_the_published_frames_are_the_simulated_book(history, whole):
    """Read back by the product's parser: every level, every trade, every publication but those before the snapshot."""
    feed = fed(whole)
    book = DictBook()
    for side, tick, size in history.levels[:, 1:].tolist():
        book.set(side, tick, size)
    for side, index in ((1, 0), (-1, 1)):
        prices, sizes = levels(feed.sampler.state.book, index)
        assert dict(zip(prices.tolist(), sizes.tolist(), strict=True)) == book.sides[side]
    tally = feed.decoder.tally
    assert (tally.trades, tally.off_market_trades, feed.gaps()) == (len(history.trades), 0, [])
    assert tally.book_messages + tally.dropped_before_snapshot == len(history.ids)


def test_frames_and_the_short_cut_give_the_same_samples(history, whole):
    """Tests that skip the frames see the market that the product sees, once the first snapshot is in."""
    direct = Sampler()
    feed = fed(whole)
    direct.run(*streams(history, START))
    one, other = (s.samples[: s.released] for s in (direct, feed.sampler))
    both = np.intersect1d(one[5:, layout.TS], other[5:, layout.TS])
    assert len(both) > SECONDS - 20
    columns = [k for k in range(layout.COLUMNS) if k != layout.RUN]
    one, other = (s[np.isin(s[:, layout.TS], both)][:, columns] for s in (one, other))
    np.testing.assert_array_equal(one[:, : layout.OFI], other[:, : layout.OFI])


@settings(max_examples=25, deadline=None)
@given(st.floats(0, SECONDS), st.floats(0.1, 120))
def test_an_outage_removes_exactly_the_frames_of_its_interval(history, whole, start, seconds):
    """By receive time, from its start on, up to its end and no further."""
    first = START + start * 1e9
    last = START + (start + seconds) * 1e9
    left = list(frames(history, START, 3, (Outage(start, seconds),)))
    clear = [frame for frame in whole if not first - 1e3 <= frame[0] < last + 1e3]
    lost = [frame for frame in whole if first + 1e3 <= frame[0] < last - 1e3]
    assert not set(lost) & set(left)
    assert set(clear) <= set(left) <= set(whole)


def test_an_outage_is_one_gap_that_the_next_snapshot_ends(history):
    """From the last update received before it; the ids say what is missing."""
    (gap,) = fed(frames(history, START, 3, (Outage(200, 5),))).gaps()
    assert gap["reason"] == "sequence_gap"
    assert START + 199 * 10**9 < gap["start"] <= START + 200 * 10**9
    assert START + 205 * 10**9 < gap["end"] < START + 242 * 10**9
    missing = (gap["to_id"] - gap["from_id"]) / (history.ids[-1, 1] / (SECONDS * 1000 / PUBLISH_MS))
    assert missing == pytest.approx(5_000 / PUBLISH_MS, rel=0.3)
    assert gap["from_id"] > FIRST_ID


def test_one_file_an_hour_of_receive_time(whole, tmp_path):
    """Named by venue, symbol and hour; together they hold each frame once, in order, and nothing else."""
    paths = write_captures(tmp_path / "captures", iter(whole))
    assert [p.name for p in paths] == [f"sim__simusdt_{h}.jsonl.zst" for h in ("20250303T23", "20250304T00")]
    assert sorted((tmp_path / "captures").iterdir()) == paths
    lines = b"".join(pa.input_stream(str(p), compression="zstd").read() for p in paths).splitlines()
    assert lines == [b"%d %s" % frame for frame in whole]
    found = inspect(paths)["instruments"][INSTRUMENT.id]
    assert (found["gaps"], found["crossed"], found["first_event_ts"] >= START) == ([], 0, True)


def test_a_snapshot_straddles_a_diff_and_has_an_id_of_the_stream(whole):
    """Some answers overtake the diff that holds their id, as real ones do."""
    last = FIRST_ID - 1
    overtaken = 0
    for _, text in whole:
        doc = orjson.loads(text)
        if doc.get("data", {}).get("e") == "depthUpdate":
            last = doc["data"]["u"]
        elif "lastUpdateId" in doc:
            overtaken += doc["lastUpdateId"] > last
            assert doc["bids"][0] != doc["bids"][-1]
            assert float(doc["bids"][0][0]) < float(doc["asks"][0][0])
    assert 0 < overtaken < SECONDS // 60


def test_a_stream_of_events_is_written_and_read_back_row_by_row(tmp_path):
    """Of the exchange, with losses of its feed: each message after a loss waits for the book that then comes."""
    found = run(Exchange(5, 120, resets_per_hour=120), START)
    written = write_captures(tmp_path, stream_frames(found.books, found.trades, seed=1))
    books, trades = read_events(chain_of(*written), INSTRUMENT)
    assert np.count_nonzero(found.books.flags & SNAPSHOT) > 1
    for name in ("ts", "side", "price", "size"):
        assert np.array_equal(np.sort(getattr(trades, name)), np.sort(getattr(found.trades, name))), name
    *_, ours = books_after(found.books)
    *_, read = books_after(books)
    assert read == ours
    rows = {int(ts): book for ts, book in books_after(found.books)}
    diffs = [(ts, book) for k, (ts, book) in enumerate(books_after(books)) if not books.flags[k] & (CLEAR | TIME)]
    assert len(diffs) > 0.95 * len(found.books.ts)
    assert all(book == rows[ts] for ts, book in diffs[:: len(diffs) // 50])


def books_after(stream):
    """Time and book after each message: the slow way."""
    book = {}
    start = 0
    for k, end in enumerate(stream.end.tolist()):
        if stream.flags[k] & CLEAR:
            book = {}
        columns = (stream.side[start:end].tolist(), stream.price[start:end].tolist(), stream.size[start:end].tolist())
        book.update({(side, price): size for side, price, size in zip(*columns, strict=True) if side})
        start = end
        yield int(stream.ts[k]), {key: size for key, size in book.items() if size}
