"""A day alone: the same bytes whatever was read before it, and the same rows as a live stream through midnight."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.core.errors import CaptureError
from ml.core.time import SECOND, bounds, date_of
from ml.market.book import layout
from ml.market.book.feed import Feed
from ml.market.book.ladder import levels
from ml.market.days.day import closing_frames, open_day
from ml.market.days.samples import sample_captures, tail
from ml.market.days.tables import samples_array, samples_frame
from ml.market.decode.events import CHECKPOINT, CLEAR
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform
from tests.oracles.book import DictBook
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.examples import examples
from tests.support.scenario import INSTRUMENT, OUTAGE, START_NS, chain_of

DAYS = ("2025-03-03", "2025-03-04")


def whole_day(chain, date):
    raw = raw_day(chain, INSTRUMENT, date)
    decoded = decode_day(raw, INSTRUMENT, date)
    return raw, decoded, sample_day(raw, decoded.book_events, decoded.trades, decoded.validity, INSTRUMENT, date)


@pytest.fixture(scope="module")
def chain(simulated):
    return chain_of(simulated)


@pytest.fixture(scope="module")
def days(chain):
    return {date: whole_day(chain, date) for date in DAYS}


@pytest.fixture(scope="module")
def live(chain):
    """The same captures as one stream, frame by frame."""
    feed = Feed.of(INSTRUMENT)
    for arrived in chain.frames(INSTRUMENT.id):
        feed.offer(arrived.doc, arrived.frame.recv_ts)
    return feed


def test_two_days_apart_equal_one_stream(days, live):
    """Every sample of both days, built alone, is bit for bit the live stream's."""
    batch = pl.concat([days[date][2] for date in DAYS])
    assert_frame_equal(batch, samples_frame(live.sampler.samples[: live.sampler.released]))
    assert batch.height > 11_000


def test_the_tail_is_the_hour_before(days, live):
    """The samples that a day's windows may look back on end at midnight, and are the stream's."""
    before = tail(days[DAYS[1]][0], INSTRUMENT, DAYS[1])
    assert (len(before), before[-1, layout.TS]) == (layout.TAIL, bounds(DAYS[1])[0])
    samples = live.sampler.samples
    same = samples[
        (samples[:, layout.TS] > bounds(DAYS[1])[0] - layout.TAIL * SECOND)
        & (samples[:, layout.TS] <= bounds(DAYS[1])[0])
    ]
    np.testing.assert_array_equal(before[:, : layout.RUN], same[:, : layout.RUN])


@settings(max_examples=examples(3, 30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(400, 12_000), groups=st.integers(5_000, 200_000), day=st.sampled_from(DAYS))
def test_parts_of_any_size_give_the_same_tables(days, rows, groups, day):
    """A day that is decoded and sampled part after part is the day that is held as a whole."""
    raw, whole, samples = days[day]
    parts = decode_day(raw, INSTRUMENT, day, rows)
    assert parts.tally == whole.tally
    for found, expected in zip(parts[:4], whole[:4], strict=True):
        assert_frame_equal(found, expected)
    again = sample_day(raw[:1], *parts[:3], INSTRUMENT, day, groups)
    assert_frame_equal(again, samples)


def test_samples_straight_from_captures_are_those_of_the_stored_tables(chain, days):
    """Row for row, with the hour before and the same frames quarantined, an outage included."""
    for date, (raw, decoded, samples) in days.items():
        straight = sample_captures(chain, INSTRUMENT, date)
        assert_frame_equal(straight.samples, samples)
        np.testing.assert_array_equal(straight.tail, tail(raw, INSTRUMENT, date))
        assert straight.refused == dict(decoded.quarantine["reason"].value_counts().iter_rows())


def test_a_day_does_not_depend_on_what_lies_before_its_last_snapshot(simulated, days):
    """Without the first hour's file the second day has the same raw frames, byte for byte, checkpoint included."""
    later = chain_of(*sorted(simulated.glob("*.zst"))[1:])
    assert_frame_equal(raw_day(later, INSTRUMENT, DAYS[1]), days[DAYS[1]][0])


def test_every_frame_lands_once(chain, days):
    """The two days hold each frame of the captures exactly once, unchanged, with its file and offset."""
    landed = [
        row
        for date in DAYS
        for row in days[date][0]
        .filter(pl.col("kind") != "checkpoint")
        .select("recv_ts", "payload", "source_sha256", "offset")
        .rows()
    ]
    captured = [
        (a.frame.recv_ts, a.frame.payload, a.source_sha256, a.frame.offset) for a in chain.frames(INSTRUMENT.id)
    ]
    assert landed == captured


def test_tables_conform(days):
    """Columns and dtypes are the documented ones."""
    for raw, decoded, samples in days.values():
        frames = {"raw_frames": raw, "book_samples": samples} | {
            n: getattr(decoded, n) for n in ("book_events", "trades", "validity", "trade_validity", "quarantine")
        }
        for table, frame in frames.items():
            conform(frame, SCHEMAS[table], table)


def test_the_outage_is_one_gap_that_the_next_snapshot_ends(days):
    """The frames that were never received are one interval's end; the book is known again from a snapshot on."""
    validity = days[DAYS[0]][1].validity
    first, second = validity.to_dicts()
    assert (first["end_reason"], second["end_reason"]) == ("sequence_gap", None)
    lost = START_NS + int(OUTAGE.start * 1e9)
    assert lost - 10**9 < first["end_ts"] <= lost
    assert lost + OUTAGE.seconds * 1e9 < second["start_ts"] < lost + 61 * 10**9
    assert first["from_id"] < first["to_id"]
    assert second["end_ts"] == bounds(DAYS[0])[1]


def test_samples_are_valid_exactly_inside_the_intervals(days):
    """Valid is true at t where start < t <= end."""
    for _, decoded, samples in days.values():
        inside = pl.any_horizontal(
            (pl.col("ts") > row["start_ts"]) & (pl.col("ts") <= row["end_ts"]) for row in decoded.validity.to_dicts()
        )
        assert samples.filter(inside != pl.col("valid")).is_empty()


def test_book_events_alone_rebuild_the_book(days, live):
    """A dictionary fed with the second day's rows, checkpoint first, ends as the live stream's book."""
    events = days[DAYS[1]][1].book_events
    assert events["flags"][0] & CHECKPOINT
    book = DictBook()
    for side, price, size, flags in events.select("side", "price", "size", "flags").iter_rows():
        if flags & CLEAR:
            book = DictBook()
        if side:
            book.set(side, price, size)
    for side, index in ((1, 0), (-1, 1)):
        prices, sizes = levels(live.sampler.state.book, index)
        assert book.sides[side] == dict(zip(prices.tolist(), sizes.tolist(), strict=True))


def test_a_day_without_frames_says_what_there_is(chain):
    """The message names the interval that the captures hold."""
    with pytest.raises(CaptureError, match=r"no frame of 2025-03-09 .* 2025-03-03 21:30:00"):
        raw_day(chain, INSTRUMENT, "2025-03-09")


def test_closing_frames_belong_to_the_next_day(days):
    """They are kept to judge the last samples, and are in no table of the day."""
    raw, decoded, samples = days[DAYS[0]]
    assert len(closing_frames(raw)) >= 3
    assert decoded.trades["event_ts"].max() < bounds(DAYS[0])[1]
    assert samples["ts"].max() == bounds(DAYS[0])[1]
    assert samples["valid"][-1]
    assert closing_frames(days[DAYS[1]][0]) == []


def test_the_checkpoint_of_another_kernel_is_refused(days, monkeypatch):
    """A state that other code made cannot be gone on from."""
    from ml.market.book import checkpoint

    monkeypatch.setattr(checkpoint, "code_version", lambda _: "kernel 0")
    with pytest.raises(checkpoint.StoreError, match="Materialize raw_frames"):
        open_day(days[DAYS[1]][0], INSTRUMENT)


def test_dates_are_utc():
    """A date is the UTC date, its bounds are midnight."""
    start, end = bounds("2025-03-04")
    assert (date_of(start - 1), date_of(start), date_of(end)) == ("2025-03-03", "2025-03-04", "2025-03-05")


def test_samples_survive_the_table(days):
    """The kernel's rows and the stored table hold the same."""
    samples = days[DAYS[0]][2]
    assert_frame_equal(samples_frame(samples_array(samples)), samples)


def test_an_injected_gap_changes_nothing_outside_it(simulated, tmp_path, days):
    """Diffs taken out of a file: rows are bit-identical before the gap and from the sample after the re-anchor on."""
    import pyarrow as pa

    files = sorted(simulated.glob("*.zst"))
    for path in files:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    target = tmp_path / files[1].name
    lines = pa.input_stream(str(files[1]), compression="zstd").read().splitlines(keepends=True)
    diffs = [k for k, line in enumerate(lines) if b"depthUpdate" in line]
    for k in reversed(diffs[2_000:2_003]):
        del lines[k]
    with pa.output_stream(str(target), compression="zstd") as sink:
        sink.write(b"".join(lines))
    _, decoded, samples = whole_day(chain_of(tmp_path), DAYS[0])
    clean = days[DAYS[0]][2]
    gap, _ = decoded.validity.to_dicts()[:2]
    again = decoded.validity["start_ts"][1]
    outside = (pl.col("ts") <= gap["end_ts"]) | (pl.col("ts") >= again + SECOND)
    # the runs of known samples count again after the gap, and so they must
    columns = [name for name in samples.columns if name not in ("valid_run", "trades_run")]
    assert_frame_equal(samples.filter(outside).select(columns), clean.filter(outside).select(columns))
    inside = samples.filter((pl.col("ts") > gap["end_ts"]) & (pl.col("ts") <= again))
    assert inside.height > 0
    assert not inside["valid"].any()
    assert inside["bid_price_1"].null_count() == inside.height
