"""The gap ledger: what the stored validity says, and that the raw ids say the same."""

import gzip
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.core.time import DAY_NS as DAY
from ml.core.time import SECOND, date_of
from ml.market import gaps as ledger
from ml.market.book.feed import Feed
from ml.market.book.ladder import levels
from ml.market.days.infer_instrument import infer_instrument
from ml.storage import commit
from ml.tables.schemas import SCHEMAS
from tests.oracles import ledger as oracle
from tests.support.days import decode_day, raw_day
from tests.support.examples import examples
from tests.support.scenario import INSTRUMENT, OUTAGE, START_NS, USDM, capture, chain_of, diff, snapshot, trade

T0 = 1_741_046_400 * SECOND
"""2025-03-04 00:00 UTC."""


def row(start, end, reason=None, ids=(None, None), day=0):
    """An interval in seconds since the midnight of T0's day + `day`."""
    return (T0 + day * DAY + int(start * SECOND), T0 + day * DAY + int(end * SECOND), 0, 0, *ids, reason)


def table(days, instrument="sim.X"):
    """Stored partitions of one instrument: rows by day."""
    frames = [pl.DataFrame(rows, schema=SCHEMAS["validity"], orient="row") for rows in days.values()]
    named = [ledger.named(f, date_of(T0 + day * DAY), instrument) for day, f in zip(days, frames, strict=True)]
    return pl.concat(named)


def found(frame):
    """Gaps in seconds since T0: start, end, from_id, to_id, reason."""
    seconds = ((pl.col(name) - T0) // SECOND for name in ("start", "end"))
    return frame.select(*seconds, "from_id", "to_id", "reason").rows()


def test_a_gap_lies_between_two_intervals():
    """With the ids around it and its length; the last one is open."""
    validity = table({0: [row(10, 100, "sequence_gap", (5, 9)), row(130, 500, "capture_end", (77, None))]})
    gaps = ledger.gaps(validity)
    assert found(gaps) == [(100, 130, 5, 9, "sequence_gap"), (500, None, 77, None, "capture_end")]
    assert gaps["seconds"].to_list() == [30, None]


def test_a_day_that_was_known_up_to_midnight_goes_on():
    """Two days without a gap have none, and the first hours of the capture are no gap."""
    assert ledger.gaps(table({0: [row(50, 86_400)], 1: [row(0, 86_400, day=1)]})).is_empty()


def test_a_gap_goes_through_midnights():
    """It is one row, also over a day on which the book was never known."""
    never = [row(3_600, 3_600, "no_snapshot", day=1)]
    after = [row(600, 86_400, day=2)]
    validity = table({0: [row(0, 86_300, "sequence_gap", (5, 9))], 1: never, 2: after})
    assert found(ledger.gaps(validity)) == [(86_300, 2 * 86_400 + 600, 5, 9, "sequence_gap")]
    assert ledger.coverage(validity)["gaps"].to_list() == [1, 0, 0]
    assert ledger.coverage(validity)["share"].to_list() == [86_300 / 86_400, 0, 85_800 / 86_400]


def test_a_day_that_is_not_stored_is_a_gap():
    """Its reason says that nobody lost it."""
    validity = table({0: [row(0, 86_400)], 2: [row(0, 86_400, day=2)]})
    assert found(ledger.gaps(validity)) == [(86_400, 2 * 86_400, None, None, "not_stored")]


def test_a_book_that_was_never_known_is_an_open_gap():
    """The only row of a day without a snapshot, and a partition without a row."""
    assert found(ledger.gaps(table({0: [row(20, 20, "no_snapshot")]}))) == [(20, None, None, None, "no_snapshot")]
    assert found(ledger.gaps(table({0: []}))) == [(0, None, None, None, "no_snapshot")]
    assert ledger.coverage(table({0: []})).row(0)[2:] == (0, 0, 1)


def test_instruments_do_not_meet():
    """A gap of one says nothing of the other."""
    one = {0: [row(0, 100, "reconnect"), row(110, 86_400)]}
    other = {0: [row(0, 86_400)]}
    gaps = ledger.gaps(pl.concat([table(one, "sim.A"), table(other, "sim.B")]))
    assert gaps.select("instrument", "reason").rows() == [("sim.A", "reconnect")]


def test_gaps_that_touch_the_dates_are_shown():
    """One that began before, one that is still open; not one that ended at the first midnight."""
    days = {0: [row(0, 10, "silent"), row(20, 86_300, "restart")], 1: [row(60, 100, "crossed", day=1)]}
    gaps = ledger.gaps(table(days))
    dates = [date_of(T0 + day * DAY) for day in range(3)]
    assert ledger.within(gaps, None, None).height == 3
    assert ledger.within(gaps, dates[1], dates[1])["reason"].to_list() == ["restart", "crossed"]
    assert ledger.within(gaps, dates[2], None)["reason"].to_list() == ["crossed"]
    assert ledger.within(gaps, None, dates[0])["reason"].to_list() == ["silent", "restart"]


@given(st.lists(st.integers(0, 86_400), max_size=8, unique=True))
def test_hours_and_gaps_add_up_to_the_day(cuts):
    """Known time is the same by hour and by day, and with the gaps inside makes the interval from first to last."""
    cuts = sorted(cuts)[: len(cuts) // 2 * 2]
    spans = [row(a, b, "silent") for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    validity = table({0: spans})
    (known,) = ledger.coverage(validity)["known_seconds"]
    hours = ledger.hours(validity)
    assert hours.height == 24
    assert hours["share"].is_between(0, 1).all()
    assert hours["share"].sum() * 3600 == pytest.approx(known)
    inside = ledger.gaps(validity)["seconds"].sum()
    assert known + inside == pytest.approx(cuts[-1] - cuts[0] if cuts else 0)


def test_an_hour_knows_its_own_share():
    """Half of the second hour, all of the third."""
    hours = ledger.hours(table({0: [row(5_400, 10_800, "silent")]}))
    assert hours["share"].to_list() == [0, 0.5, 1, *[0] * 21]


def test_nothing_stored_says_what_to_do(root):
    """For any instrument, or one that has no partition."""
    with pytest.raises(StoreError, match=r"No validity of any instrument is stored\. Materialize"):
        ledger.stored(root)
    frame = table({0: []}).drop("date", "instrument")
    commit.publish(root, "validity", root.partition("validity", "2025-03-04", "sim.X"), frame, "v")
    assert ledger.stored(root, "sim.X", "2025-03-04").select("date", "instrument").row(0) == ("2025-03-04", "sim.X")
    with pytest.raises(StoreError, match=r"sim\.Y"):
        ledger.stored(root, "sim.Y")


def test_a_days_partition_stands_beside_the_others(root):
    """The one just made replaces the stored one; the first of all stands alone."""
    other = pl.DataFrame([row(0, 10, "silent")], schema=SCHEMAS["validity"], orient="row")
    assert ledger.of_day(root, "2025-03-04", "sim.X", other)["instrument"].to_list() == ["sim.X"]
    for name in ("sim.X", "sim.Y"):
        commit.publish(root, "validity", root.partition("validity", "2025-03-04", name), other.clear(), "v")
    day = ledger.of_day(root, "2025-03-04", "sim.X", other)
    assert sorted(day.select("instrument", "end_reason").rows()) == [("sim.X", "silent"), ("sim.Y", "no_snapshot")]


def store_days(root, chain, instrument, dates):
    """Raw frames and validity of some days, as the assets store them."""
    for date in dates:
        raw = raw_day(chain, instrument, date)
        for name, frame in (("raw_frames", raw), ("validity", decode_day(raw, instrument, date).validity)):
            commit.publish(root, name, root.partition(name, date, instrument.id), frame, "v")


def agree(root, instrument_id):
    """The ledger of the stored validity is the one that the raw ids give; returns it."""
    files = sorted(map(str, root.table("raw_frames").rglob(f"*_{instrument_id}.parquet")))
    expected = oracle.ledger(files)
    gaps = ledger.gaps(ledger.stored(root, instrument_id))
    columns = ["start", "end", "from_id", "to_id", "reason"]
    assert_frame_equal(gaps.select(columns), expected.select(columns))
    return expected


@pytest.mark.promise("A3")
def test_the_raw_ids_of_the_simulated_captures_give_the_same_ledger(ingested):
    """Two days with an outage, as the product ingested them, by one SQL query."""
    expected = agree(ingested, INSTRUMENT.id)
    outage = expected.filter(pl.col("reason") == "sequence_gap").row(0, named=True)
    assert abs(outage["start"] - START_NS - OUTAGE.start * SECOND) < SECOND
    assert outage["end"] - outage["start"] > OUTAGE.seconds * SECOND


def anchored_again(lines, instrument, cuts):
    """The lines without the diffs at `cuts`, and with a whole snapshot 200 diffs after each but the last."""
    feed = Feed.of(instrument)
    count = 0
    kept = []
    for line in lines:
        doc = orjson.loads(line.split(b" ", 1)[1])
        feed.offer(doc, int(line.split(b" ", 1)[0]))
        is_diff = doc.get("data", {}).get("e") == "depthUpdate"
        if not (is_diff and count in cuts):
            kept.append(line)
        count += is_diff
        if is_diff and count - 200 in cuts[:-1]:
            stamp = line.split(b" ", 1)[0]
            book = feed.sampler.state.book
            sides = [
                [(instrument.price(p), instrument.size(s)) for p, s in zip(*levels(book, side), strict=True)]
                for side in (0, 1)
            ]
            texts = [[[f"{p:.8f}", f"{s:.8f}"] for p, s in side] for side in sides]
            doc = {"lastUpdateId": doc["data"]["u"], "bids": texts[0], "asks": texts[1]}
            kept.append(stamp + b" " + orjson.dumps(doc) + b"\n")
    return kept


@pytest.fixture(scope="module")
def cut(market, tmp_path_factory):
    """The recorded minutes around midnight without four diffs, anchored again after all but the last, both days."""
    paths = sorted((market / "binance_raw").glob("*btcusdt*"))
    instrument = infer_instrument(chain_of(*paths), USDM)
    lines = [line for path in paths for line in gzip.decompress(path.read_bytes()).splitlines(keepends=True)]
    folder = Path(tmp_path_factory.mktemp("cut"))
    (folder / "all.log").write_bytes(b"".join(anchored_again(lines, instrument, (1_500, 3_000, 3_001, 7_500))))
    root = DataRoot(tmp_path_factory.mktemp("cut-root"))
    store_days(root, chain_of(folder / "all.log"), instrument, ["2024-07-18", "2024-07-19"])
    return root


@pytest.mark.promise("A3")
def test_the_raw_ids_of_recorded_frames_give_the_same_ledger(cut):
    """Removed diffs, snapshots that anchor again, and an end that stays unknown."""
    expected = agree(cut, USDM)
    assert expected["reason"].to_list() == ["sequence_gap"] * 3
    assert expected["end"].null_count() == 1


def test_the_recorded_ledger_by_day(cut):
    """Known time is the length of the intervals that the raw ids show."""
    intervals_of = oracle.ledger(sorted(map(str, cut.table("raw_frames").rglob("*.parquet"))))
    known = (intervals_of["start"] - intervals_of["known_from"]).sum() / SECOND
    assert ledger.coverage(ledger.stored(cut))["known_seconds"].sum() == pytest.approx(known)


@pytest.mark.promise("A3")
@settings(max_examples=examples(8, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lost=st.sets(st.integers(0, 39)),
    twice=st.sets(st.integers(0, 39)),
    asked=st.sets(st.integers(0, 39), max_size=6),
    late=st.integers(0, 3),
)
def test_any_losses_and_snapshots_give_the_same_ledger(tmp_path_factory, lost, twice, asked, late):
    """Forty diffs of which some are lost or come twice, and snapshots of some, up to three diffs late."""
    start = T0 // 10**6
    frames = []
    for k in range(40):
        stamp = start + k * 100
        frames += [diff(k + 1, k, stamp, bids=[("99.0", f"{k + 1}.000")])] * ((k not in lost) + (k in twice))
        frames += [trade(k, stamp + 7), *(snapshot(k + 1 - late, stamp) for _ in range(k in asked and k >= late))]
    folder = tmp_path_factory.mktemp("any")
    chain = chain_of(capture(folder / "a.log", frames, start))
    root = DataRoot(folder / "data")
    store_days(root, chain, infer_instrument(chain, USDM), ["2025-03-04"])
    if ledger.stored(root)["end_reason"].to_list() == ["no_snapshot"]:
        assert oracle.ledger([str(root.partition("raw_frames", "2025-03-04", USDM))]).is_empty()
    else:
        agree(root, USDM)
