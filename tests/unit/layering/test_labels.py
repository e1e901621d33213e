"""The label log keeps every vote, says what follows from them, and loses none to a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.errors import DatasetError
from ml.layering.labels import COLUMNS, Agreement, LabelLog, agreements, for_tests, for_training, price_reversal

CUES = [f"cue-{k}" for k in range(6)]
T = 1_741_000_000_123_456_789


@pytest.fixture
def log(tmp_path):
    with LabelLog(tmp_path / "labels.db") as made:
        made.add_cues(CUES)
        yield made


def label_of(log, cue):
    (row,) = log.labels().filter(cue_id=cue).to_dicts()
    return row["label"], row["tier"], row["conflict"]


def test_two_reviewers_who_agree_are_gold_and_one_is_silver(log):
    log.vote(CUES[0], 1, "ann", T)
    assert label_of(log, CUES[0]) == (1, "silver", False)
    log.vote(CUES[0], 1, "bob", T + 1)
    assert label_of(log, CUES[0]) == (1, "gold", False)


def test_reviewers_who_disagree_leave_no_label_until_a_third_decides(log):
    log.vote(CUES[0], 1, "ann", T)
    log.vote(CUES[0], 0, "bob", T)
    assert label_of(log, CUES[0]) == (None, None, True)
    log.vote(CUES[0], 0, "cid", T)
    assert label_of(log, CUES[0]) == (0, "gold", False)


@pytest.mark.promise("F2")
def test_the_newest_vote_of_a_reviewer_counts_and_an_undo_brings_back_the_one_before(log):
    log.vote(CUES[0], 1, "ann", T)
    log.vote(CUES[0], 0, "ann", T + 1)
    assert label_of(log, CUES[0]) == (0, "silver", False)
    assert log.undo("ann", T + 2) == CUES[0]
    assert label_of(log, CUES[0]) == (1, "silver", False)
    assert log.undo("ann", T + 3, CUES[0]) == CUES[0]
    assert log.labels().is_empty()
    with pytest.raises(DatasetError, match="ann has no vote of cue-0 that could be undone"):
        log.undo("ann", T + 4, CUES[0])
    assert log.votes()["undone"].to_list() == [T + 3, T + 2]


def test_who_is_unsure_decides_nothing(log):
    log.vote(CUES[0], None, "ann", T)
    assert label_of(log, CUES[0]) == (None, None, False)
    log.vote(CUES[0], 1, "bob", T)
    assert label_of(log, CUES[0]) == (1, "silver", False)


def test_tiers_of_programs_stand_behind_people_and_planted_ones_before(log):
    """And what a price or a detector says is in no test set."""
    log.vote(CUES[0], 0, "detector", T, source="self")
    log.vote(CUES[1], 1, "price", T, source="weak")
    log.vote(CUES[1], 0, "detector", T, source="self")
    log.vote(CUES[2], 1, "planter", T, source="injected")
    log.vote(CUES[2], 0, "ann", T)
    log.vote(CUES[3], 1, "price", T, source="weak")
    log.vote(CUES[3], 0, "ann", T)
    log.vote(CUES[4], 1, "price", T, source="weak")
    log.vote(CUES[4], 0, "ann", T)
    log.vote(CUES[4], 1, "bob", T)
    found = [label_of(log, cue)[:2] for cue in CUES[:5]]
    assert found == [(0, "self"), (1, "weak"), (1, "injected"), (0, "silver"), (None, None)]
    assert for_tests(log.labels())["cue_id"].to_list() == CUES[2:4]
    assert for_training(log.labels())["cue_id"].to_list() == CUES[:4]


@pytest.mark.promise("F2")
def test_the_log_only_grows(log):
    log.vote(CUES[0], 1, "ann", T)
    log.undo("ann", T)
    for statement in ("update votes set label = 0", "delete from votes", "delete from undone"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            log.connection.execute(statement)
    assert log.connection.execute("pragma journal_mode").fetchone() == ("wal",)
    assert log.connection.execute("pragma synchronous").fetchone() == (2,)


@pytest.mark.parametrize(
    ("vote", "said"),
    [
        (("cue-9", 1, "ann", T), "there is no cue 'cue-9'"),
        ((CUES[0], 1, " ", T), "needs the name"),
        ((CUES[0], 2, "ann", T), "the label 2 is neither"),
        ((CUES[0], 1, "ann", T, "", "rumour"), "the source 'rumour' is none of"),
    ],
)
def test_an_invalid_vote_is_refused(log, vote, said):
    with pytest.raises(DatasetError, match=said):
        log.vote(*vote)
    assert log.votes().is_empty()


def test_the_csv_round_trips(log, tmp_path):
    """Notes with every character that CSV has an opinion on, undone votes, times to the nanosecond."""
    log.vote(CUES[0], 1, "ann", T, 'a "note", with\nlines; and \u00fc')
    log.vote(CUES[0], 0, "bob", T + 1)
    log.vote(CUES[1], None, "bob", T + 2)
    log.vote(CUES[2], 1, "planter", T + 3, source="injected")
    log.undo("bob", T + 4, CUES[0])
    text = log.csv()
    with LabelLog(tmp_path / "other.db") as other:
        other.add_cues(CUES)
        assert other.load(text).added == 4
        assert other.votes().equals(log.votes())
        again = other.load(text)
        assert (again.added, again.known, again.bad) == (0, 4, ())
        assert other.csv() == text


@pytest.mark.promise("F3")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(CUES),
            st.sampled_from([0, 1, None]),
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(1, 8 * 10**18),
)
@settings(max_examples=15)
def test_any_votes_round_trip(votes, start):
    """The export of what was imported is the text that was imported, whatever people wrote; undone votes too."""
    with (
        TemporaryDirectory() as folder,
        LabelLog(Path(folder) / "a.db") as log,
        LabelLog(Path(folder) / "b.db") as other,
    ):
        log.add_cues(CUES)
        other.add_cues(CUES)
        for time, (cue, label, labeller, note, is_undone) in enumerate(votes, start):
            log.vote(cue, label, labeller, time, note)
            if is_undone:
                log.undo(labeller.strip(), time, cue)
        text = log.csv()
        found = other.load(text)
        assert (found.bad, other.csv()) == ((), text)
        assert other.load(text).added == 0


@pytest.mark.promise("F3")
def test_bad_rows_are_told_by_line_and_the_others_are_added(log):
    good = "cue-0,accept,ann,review,2025-03-03T10:00:00.5Z,,"
    rows = [
        ",".join(COLUMNS),
        good,
        "cue-0,maybe,ann,review,2025-03-03T10:00:00Z,,",
        "cue-77,accept,ann,review,2025-03-03T10:00:00Z,,",
        "cue-1,accept,ann,review,yesterday,,",
        'cue-1,accept,,review,2025-03-03T10:00:00Z,"two',
        'lines",',
        "cue-2,reject,bob,review,2025-03-03T10:00:01Z,,",
    ]
    found = log.load("\n".join(rows))
    assert (found.added, found.known) == (2, 0)
    assert [row.line for row in found.bad] == [3, 4, 5, 7]
    assert [row.reason.split()[0:3] for row in found.bad][1] == ["there", "is", "no"]
    assert log.votes()["time"].to_list() == [1_740_996_000_500_000_000, 1_740_996_001_000_000_000]


def test_a_csv_without_a_column_or_that_is_none_adds_nothing(log):
    with pytest.raises(DatasetError, match=r"no column labeller, source, time. Its first line must name"):
        log.load("cue_id,verdict\ncue-0,accept\n")
    good = f"{','.join(COLUMNS)}\ncue-0,accept,ann,review,2025-03-03T10:00:00Z,,\n"
    with pytest.raises(DatasetError, match="beyond line 2: field larger than field limit"):
        log.load(f"{good}cue-0,accept,ann,review,2025-03-03T10:00:00Z,{'x' * 200_000},\n")
    assert log.votes().is_empty()


@pytest.mark.parametrize("time", ["1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_does_not_fit_is_told_by_line(log, time):
    found = log.load(f"{','.join(COLUMNS)}\ncue-0,accept,ann,review,{time},,\n")
    assert [row.line for row in found.bad] == [2]


def test_kappa_is_agreement_beyond_chance(log):
    """By hand: 3 of 4 agree; ann accepts 2 of 4, bob 3 of 4, so chance is .5 and kappa .5."""
    for cue, one, other in zip(CUES, (1, 1, 0, 0), (1, 1, 1, 0), strict=False):
        log.vote(cue, one, "ann", T)
        log.vote(cue, other, "bob", T)
    log.vote(CUES[4], 1, "ann", T)
    log.vote(CUES[5], None, "bob", T)
    log.vote(CUES[5], 1, "cid", T)
    found = {(pair.first, pair.second): pair for pair in agreements(log.votes())}
    assert found["ann", "bob"] == Agreement("ann", "bob", 4, 0.75, 0.5)
    assert found["ann", "cid"] == Agreement("ann", "cid", 0, None, None)


def test_weak_labels_follow_the_price_and_small_moves_say_nothing():
    """Bids push the price up: a fall after they are gone is a reversal."""
    assert price_reversal(1, 100.0, 99.9) == 1
    assert price_reversal(1, 100.0, 100.1) == 0
    assert price_reversal(-1, 100.0, 100.1) == 1
    assert price_reversal(-1, 100.0, 99.9) == 0
    assert price_reversal(1, 100.0, 99.98) is None


@pytest.mark.promise("F2")
def test_reviewers_at_once_lose_no_vote(tmp_path):
    path = tmp_path / "labels.db"
    with LabelLog(path) as log:
        log.add_cues(CUES)

    def vote(name):
        with LabelLog(path) as own:
            for k in range(20):
                own.vote(CUES[k % 6], k % 2, name, T + k)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(vote, ("ann", "bob", "cid", "dee")))
    with LabelLog(path) as log:
        assert log.votes().height == 80
        assert log.votes()["vote_id"].to_list() == list(range(1, 81))


KILLED = """
import sys
from pathlib import Path
from ml.layering.labels import LabelLog
log = LabelLog(Path(sys.argv[1]))
log.add_cues(["cue-0"])
k = 0
while True:
    k += 1
    log.vote("cue-0", k % 2, f"labeller {k}", k)
    print(k, flush=True)
"""


@pytest.mark.promise("F1")
@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_an_acknowledged_vote_survives_a_kill(tmp_path, kills):
    """SIGKILL while votes are being written: what was acknowledged is there, and the log goes on."""
    acknowledged = 0
    for _ in range(kills):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "labels.db")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            told = [writer.stdout.readline() for _ in range(5)]
            os.kill(writer.pid, signal.SIGKILL)
            told += writer.stdout.read().split("\n")
        acknowledged += max(int(line) for line in told if line.strip().isdigit())
        with LabelLog(tmp_path / "labels.db") as log:
            assert log.votes().height >= acknowledged
            acknowledged = log.votes().height
            assert log.connection.execute("pragma integrity_check").fetchone() == ("ok",)
