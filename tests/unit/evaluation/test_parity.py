"""Batch against live: one differing value is found and named, and a row that never came is a difference too."""

import numpy as np
import polars as pl
import pytest

from ml.core.time import SECOND
from ml.evaluation import parity
from ml.evaluation.parity import Batch, Parity, replay
from ml.features.tick.build import NAMES, REASONS, build
from ml.features.tick.online import OnlineFeatures
from ml.features.tick.table import FEATURES
from ml.market.book import layout
from ml.market.book.checkpoint import unpack
from ml.market.book.sampler import Sampler
from ml.market.days.tables import samples_array
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import frames, write_captures
from ml.simulation.venue import Market, simulate
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.samples import invalid, random_samples
from tests.support.scenario import chain_of

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)
ROWS = 300
each = pytest.mark.parametrize("position", range(len(FEATURES)), ids=NAMES)


@pytest.fixture(scope="module")
def samples():
    return invalid(random_samples(ROWS, 3), 150, 10)


@pytest.fixture(scope="module")
def stored(samples):
    return build(samples, NO_TAIL, INSTRUMENT)


def compared(stored, samples, last=ROWS, whole=True, lost=()):
    """The live rows up to `last` against the stored table, but for those that were lost."""
    batch = Batch(stored)
    online = OnlineFeatures(INSTRUMENT)
    for i in sorted(set(range(last)) - set(lost)):
        online.compute(samples, i)
        batch.compare(int(samples[i, layout.TS]), online)
    return batch.finish(whole=whole)


def with_value(stored, row, name, value):
    changed = stored[name].to_list()
    changed[row] = value
    return stored.with_columns(pl.Series(name, changed, stored.schema[name]))


def test_equal_rows_have_no_mismatch(stored, samples):
    """Rows with all values of short look-back are counted apart from those with a null."""
    found = compared(stored, samples)
    assert found.counts() == {"rows": ROWS, "rows_with_values": ROWS - 59 - 10 - 60, "mismatches": 0}
    assert found.first == ""


@pytest.fixture(scope="module")
def whole():
    """The last rows of more than an hour: the newest has every feature, and the live row it must equal."""
    samples = random_samples(layout.TAIL + 100, 3)
    online = OnlineFeatures(INSTRUMENT)
    online.compute(samples, len(samples) - 1)
    return build(samples[-2:], samples[:-2], INSTRUMENT), online


@each
def test_one_changed_value_is_found_and_named(whole, position):
    """The smallest possible change of any column in any one row: its time, its name, both values."""
    stored, online = whole
    name = NAMES[position]
    value = stored[NAMES[position]][1]
    ts = stored["ts"][1]
    batch = Batch(with_value(stored, 1, name, np.nextafter(value, np.inf)))
    batch.compare(int(stored["ts"][0]) - SECOND, online)
    batch.compare(int(ts), online)
    assert batch.parity.mismatches == 1
    assert batch.parity.first.startswith(f"{ts} {name}: batch ")
    assert repr(value) in batch.parity.first


@pytest.mark.parametrize(
    ("row", "name", "value"),
    [(250, "qi_1", None), (155, "qi_1", 0.5), (250, "null_reason_flow", 3), (155, "null_reason_book", 2)],
)
def test_a_null_or_a_reason_is_a_value_too(stored, samples, row, name, value):
    """Null against a number, a number against null, another reason."""
    found = compared(with_value(stored, row, name, value), samples)
    assert found.mismatches == 1
    assert found.first.startswith(f"{stored['ts'][row]} {'null reasons' if name in REASONS else name}: batch")


def test_the_sign_of_zero_counts_and_is_named(stored, samples):
    """Bit for bit: -0.0 is not 0.0."""
    quiet = samples.copy()
    quiet[:, layout.TRADE_COUNT : layout.LAST_TRADE] = 0
    found = compared(with_value(build(quiet, NO_TAIL, INSTRUMENT), 250, "count_imb_5s", -0.0), quiet)
    assert (found.mismatches, found.first) == (1, f"{stored['ts'][250]} count_imb_5s: batch -0.0, live 0.0")


def test_the_first_of_several_is_kept(stored, samples):
    """One line is enough to start looking; the count tells how many there are."""
    changed = with_value(with_value(stored, 270, "qi_1", 9.0), 200, "qi_3", 9.0)
    found = compared(changed, samples)
    assert found.mismatches == 2
    assert found.first.startswith(f"{stored['ts'][200]} qi_3: batch 9.0, live ")


@pytest.mark.parametrize(
    ("last", "whole", "rows", "mismatches"), [(ROWS, True, ROWS, 0), (290, True, ROWS, 10), (290, False, 290, 0)]
)
def test_rows_that_live_never_gave(stored, samples, last, whole, rows, mismatches):
    """Of a whole replay each is a mismatch; a replay of a part answers for that part alone."""
    found = compared(stored, samples, last=last, whole=whole)
    assert (found.rows, found.mismatches) == (rows, mismatches)
    assert (f"10 rows missing live, first at {stored['ts'][290]}" == found.first) == bool(mismatches)


def test_a_row_left_out_in_the_middle_is_missed_even_in_a_part(stored, samples):
    """Between the first and the last row that came, every stored row must have come."""
    found = compared(stored, samples, last=280, whole=False, lost=[100, 101])
    assert (found.rows, found.mismatches) == (280, 2)
    assert found.first == f"2 rows missing live, first at {stored['ts'][100]}"


def test_a_replay_that_starts_later_answers_once_its_look_back_is_full():
    """The longest window of the stored rows must lie inside what was replayed."""
    samples = random_samples(layout.TAIL + 400, 4)
    stored = build(samples, NO_TAIL, INSTRUMENT)
    late = samples[100:].copy()
    late[:, layout.RUN] = np.minimum(np.arange(len(late)), layout.TAIL)
    found = compared(stored, late, last=len(late), whole=False)
    assert found.counts() == {"rows": 300, "rows_with_values": 300, "mismatches": 0}


def test_nothing_replayed_is_no_row(stored, samples):
    """A part without any row says so by its count."""
    assert compared(stored, samples, last=0, whole=False).counts()["rows"] == 0
    assert compared(stored, samples, last=0).mismatches == ROWS


def test_counts_of_partitions_add_up():
    """The first mismatch of all is the first that is known."""
    total = Parity(5, 4, 0)
    for other in (Parity(10, 9, 1, "here"), Parity(1, 1, 1, "there")):
        total.add(other)
    assert (total.counts(), total.first) == ({"rows": 16, "rows_with_values": 14, "mismatches": 2}, "here")


@pytest.fixture(scope="module")
def days(ingested):
    """Raw frames and features of the two ingested days."""
    from ml.storage.commit import read

    return [
        [read(ingested.partition(table, date, INSTRUMENT.id)).collect() for date in ("2025-03-03", "2025-03-04")]
        for table in ("raw_frames", "features")
    ]


def test_stored_frames_replayed_give_the_stored_rows(days):
    """One part after the other: every row of the day, bit for bit."""
    raw, features = days
    found = replay([raw[1].iter_slices(5_000)], features[1], INSTRUMENT)
    assert (found.rows, found.mismatches, found.first) == (features[1].height, 0, "")
    assert found.rows_with_values > 0.8 * found.rows


def test_what_a_checkpoint_forgets_is_noticed(tmp_path, monkeypatch):
    """In the middle of each part the replay goes on from its checkpoint: without the book in it, rows differ."""
    date = "2025-03-03"
    start = 1_741_000_000 * SECOND
    write_captures(tmp_path, frames(simulate(Market(5, 120, Alpha(0.25))), start, 5))
    raw = raw_day(chain_of(tmp_path), INSTRUMENT, date)
    decoded = decode_day(raw, INSTRUMENT, date)
    samples = sample_day(raw, decoded.book_events, decoded.trades, decoded.validity, INSTRUMENT, date)
    stored = build(samples_array(samples), NO_TAIL, INSTRUMENT)
    assert replay([[raw]], stored, INSTRUMENT).mismatches == 0

    def forgetful(*given):
        decoder, _ = unpack(*given)
        return decoder, Sampler()

    monkeypatch.setattr(parity, "unpack", forgetful)
    assert 30 < replay([[raw]], stored, INSTRUMENT).mismatches < 90


def test_a_replay_of_other_frames_is_noticed(days):
    """One print taken out of the raw frames."""
    raw, features = days
    trade_rows = raw[1].filter(pl.col("kind") == "ws", pl.col("payload").bin.contains(b"@trade"))
    found = replay([[raw[1].filter(pl.col("arrival") != trade_rows["arrival"][500])]], features[1], INSTRUMENT)
    assert found.rows == features[1].height
    # what is usual remembers it for half an hour, the last candles for an hour
    assert 0 < found.mismatches < found.rows
    assert ": batch " in found.first
