"""The log of served predictions: from a scored second to the journal, to the table of a day, to one model's answers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.capture.journal import Journal, Kind
from ml.capture.seal import seal
from ml.core.paths import DataRoot
from ml.core.time import DAY_NS, SECOND, bounds
from ml.learning.experiment import DEFAULT
from ml.learning.tables import SERVED_PREDICTIONS
from ml.promotion import prediction_log
from ml.promotion.life import Stage
from ml.promotion.serving import MODEL_ERROR, NO_MODEL, Answer, Scored
from ml.simulation.instrument import INSTRUMENT
from ml.storage.commit import publish, read
from tests.support.lives import trained

DATE = "2025-03-03"
START, END = bounds(DATE)
OTHER = "sim.OTHER"
VERSIONS = {"a": "1", "b": "2"}


def answer(model, p=(0.2, 0.3, 0.5), reason=None, horizon=10):
    if reason is not None:
        return Answer(model, horizon, None, None, reason, None)
    return Answer(model, horizon, np.array(p), int(np.argmax(p)), None, 1_000)


def scored(ts, champion, beside=None, served=None, stage=Stage.ALONE, routed="champion"):
    withheld = None if served else (champion.reason if champion else NO_MODEL)
    return Scored(ts, routed if champion else None, served, withheld, champion, beside, stage)


def sealed(root, seconds, name="sim__1"):
    """Seconds (instrument, receive time, scored) in a journal that was sealed."""
    journal = Journal(root.journals / f"{name}.journal")
    for instrument, recv_ts, one in seconds:
        journal.append(Kind.PREDICTION, 0, recv_ts, prediction_log.lines("e", instrument, recv_ts, one, VERSIONS))
    journal.end(1)
    return seal(root, journal.path)


def labels(seconds, horizons=(10, 30), movement=1e-3):
    """`future_labels` of some seconds; the movement says which horizon it is of."""
    ts = pl.Series(seconds, dtype=pl.Int64)
    columns = {"ts": ts, "half_spread": pl.Series([1e-6] * len(ts), dtype=pl.Float64)}
    for h in horizons:
        columns |= {f"movement_{h}s": pl.Series([movement * h] * len(ts), dtype=pl.Float64)}
        columns |= {f"sigma_{h}s": pl.Series([1e-4] * len(ts), dtype=pl.Float64), f"label_end_{h}s": ts + h * SECOND}
    return pl.DataFrame(columns)


def test_both_models_of_a_second_are_rows(root):
    """Who had to serve it, who did, in which stage, with what and why not; the capture file holds none of it."""
    one, two = answer("a", reason=MODEL_ERROR), answer("b")
    done = sealed(root, [(INSTRUMENT.id, START + 7, scored(START + 5, one, two, two, Stage.SPLIT))])
    assert read(done.path).collect().is_empty()
    (path,) = root.table("prediction_log").iterdir()
    rows = read(path).collect().rows(named=True)
    assert [(r["arm"], r["model"], r["version"], r["routed"], r["served"], r["predicted"]) for r in rows] == [
        ("champion", "a", "1", True, False, None),
        ("beside", "b", "2", False, True, 2),
    ]
    assert [(r["reason"], r["p_up"], r["processor_ns"]) for r in rows] == [
        (MODEL_ERROR, None, None),
        (None, 0.5, 1_000),
    ]
    assert {(r["instrument"], r["ts"], r["recv_ts"], r["experiment"], r["stage"]) for r in rows} == {
        (INSTRUMENT.id, START + 5, START + 7, "e", "split")
    }


def test_a_second_without_a_model_is_a_row(root):
    """Nothing was promoted: it was withheld, and says so."""
    sealed(root, [(INSTRUMENT.id, 7, scored(5, None))])
    (path,) = root.table("prediction_log").iterdir()
    (row,) = read(path).collect().rows(named=True)
    assert (row["model"], row["served"], row["reason"], row["horizon"]) == (None, False, NO_MODEL, None)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.integers(0, 2**62))
def test_numbers_are_stored_to_the_bit(tmp_path_factory, p, ts):
    """Through JSON, journal and parquet."""
    root = DataRoot(tmp_path_factory.mktemp("bits"))
    one = answer("a", p)
    sealed(root, [(INSTRUMENT.id, ts, scored(ts, one, None, one))])
    (path,) = root.table("prediction_log").iterdir()
    row = read(path).collect()
    assert row.select("p_down", "p_neutral", "p_up").row(0) == tuple(p)
    assert row.select("ts", "recv_ts").row(0) == (ts, ts)


def test_the_table_of_a_day_joins_what_came(root):
    """Seconds of the day and the instrument, of all journals, in order of time, each at its own horizon."""
    times = [START, START + SECOND, START + 2 * SECOND, END, END + SECOND]
    long = answer("b", horizon=30)
    rows = [(INSTRUMENT.id, ts + 5, scored(ts, answer("a"), long, long, Stage.WATCH)) for ts in times]
    sealed(root, [rows[4], rows[2], (OTHER, 1, scored(START + SECOND, answer("a")))])
    sealed(root, [rows[0], rows[1], rows[3]], "sim__2")
    found = prediction_log.of_day(root, INSTRUMENT.id, DATE, labels([START + SECOND, END]))
    assert list(found.schema.items()) == list(SERVED_PREDICTIONS.schema.items())
    assert found["ts"].to_list() == [t for t in times[1:4] for _ in range(2)]
    assert found["arm"].to_list() == ["champion", "beside"] * 3
    assert found["movement"].to_list() == pytest.approx([0.01, 0.03, None, None, 0.01, 0.03])
    assert found["label_end"].to_list()[:2] == [START + 11 * SECOND, START + 31 * SECOND]
    again = prediction_log.of_day(root, INSTRUMENT.id, DATE, labels([START + SECOND, END]))
    assert again.equals(found)


def test_a_day_on_which_nothing_was_served_is_empty(root):
    """With and without a log; all its columns are there."""
    for _ in range(2):
        found = prediction_log.of_day(root, INSTRUMENT.id, DATE, labels([START + SECOND]))
        assert (found.height, found.columns) == (0, SERVED_PREDICTIONS.schema.names())
        sealed(root, [(INSTRUMENT.id, 1, scored(START + DAY_NS * 3, answer("a")))])


def test_answers_of_a_model_with_the_class_that_came(root):
    """In either arm, also where it gave none; not those of another model, of another experiment, or of its training."""
    model = trained(0.6)
    since = model.card.trained_until
    date, seconds = "2025-03-03", [max(since, START) + k * SECOND for k in range(1, 5)]
    assert START < seconds[0] < seconds[-1] < END
    mine, other = answer(model.id, (0.8, 0.1, 0.1)), answer("b")
    said = [
        scored(seconds[0], mine, other, mine, Stage.SHADOW),
        scored(seconds[1], other, mine, other, Stage.SHADOW),
        scored(seconds[2], answer(model.id, reason="warm_up"), None),
        scored(seconds[3], other, None, other),
        scored(since - SECOND, mine, None, mine),
    ]
    sealed(root, [(INSTRUMENT.id, one.ts + 1, one) for one in said])
    table = prediction_log.of_day(root, INSTRUMENT.id, date, labels(seconds[:1], movement=-1e-3))
    publish(root, SERVED_PREDICTIONS.name, root.partition(SERVED_PREDICTIONS.name, date, INSTRUMENT.id), table, "")
    assert prediction_log.answers(root, DEFAULT, model).height == 0  # the log is of the experiment "e"
    found = prediction_log.answers(root, replace(DEFAULT, name="e"), model)
    assert found.rows() == [
        (INSTRUMENT.id, seconds[0], 0, 0),
        (INSTRUMENT.id, seconds[1], None, 0),
        (INSTRUMENT.id, seconds[2], None, None),
    ]
    elsewhere = replace(DEFAULT, name="e", instruments=(OTHER,))
    assert prediction_log.answers(root, elsewhere, model).is_empty()
