"""Decision records: immutable, chained, and no change of record or journal goes unseen."""

import json

import pytest

from ml.core.errors import RegistryError
from ml.storage import decisions
from ml.storage.decisions import GENESIS, champion_at, enter, journal, publish, record_hash, stage, verify


def decide(root, decision, candidate, at):
    """Put one decision on record and into force."""
    lines = journal(root)
    content = {"decision": decision, "candidate": candidate, "evidence": f"of {candidate}", "decided_at": at}
    record = stage(root, content | {"champion_before": lines[-1].champion if lines else None})
    publish(root, record)
    enter(root, record)
    return record


@pytest.fixture
def history(root):
    """A promotion, a refusal, one without candidate, another promotion."""
    asked = [("promote", "a", 10), ("refuse", "b", 20), ("insufficient", None, 30), ("promote", "c", 40)]
    return [decide(root, *one) for one in asked]


def test_each_record_holds_the_hash_of_the_one_before(root, history):
    """Numbers count from 1, the first record follows the genesis hash."""
    assert [record["number"] for record in history] == [1, 2, 3, 4]
    assert [record["prev"] for record in history] == [GENESIS, *(record["hash"] for record in history[:-1])]
    assert verify(root) == 4


@pytest.mark.parametrize(
    ("at", "champion"), [(9, None), (10, "a"), (25, "a"), (39, "a"), (40, "c"), (10**18, "c")], ids=str
)
def test_the_champion_at_a_time(root, history, at, champion):
    """Only a promotion changes it; before the first decision there is none."""
    assert champion_at(root, at) == champion


def test_a_record_reads_back_as_it_was_decided(root, history):
    """By its journal line."""
    assert [decisions.read(root, line) for line in journal(root)] == history


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize(
    "field", ["decision", "candidate", "champion_before", "evidence", "decided_at", "prev", "hash"]
)
def test_a_changed_record_is_found(root, history, number, field):
    """Whatever field of whichever record is rewritten in place."""
    (path,) = root.decisions.glob(f"{number:06d}-*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: "forged"}))
    with pytest.raises(RegistryError, match="Restore"):
        verify(root)


@pytest.mark.parametrize("field", ["number", "hash", "decision", "champion", "evidence", "at"])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_changed_journal_line_is_found(root, history, at, field):
    """A journal that names another champion than its records is no journal."""
    path = root.decisions / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[at][field] = 77 if isinstance(lines[at][field], int) else "forged"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RegistryError, match="Restore"):
        verify(root)


@pytest.mark.parametrize(
    "change", [lambda x: x[1:], lambda x: [x[1], x[0], *x[2:]], lambda x: [*x[:2], x[3]], lambda x: x + x[-1:]]
)
def test_a_line_taken_out_moved_or_doubled_is_found(root, history, change):
    """The chain binds each decision to its place."""
    path = root.decisions / "journal.jsonl"
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    with pytest.raises(RegistryError, match=r"does not follow|at its end are missing|was made"):
        verify(root)


@pytest.mark.promise("D4")
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_lines_cut_off_the_end_are_missed(root, history, kept):
    """By everybody who reads the journal, with the number of lines and the last decision."""
    path = root.decisions / "journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:kept]))
    for read in (verify, journal, lambda root: champion_at(root, 100)):
        with pytest.raises(RegistryError, match=rf"{4 - kept} at its end are missing .*{history[-1]['hash'][:16]}"):
            read(root)
    path.unlink()
    with pytest.raises(RegistryError, match="4 at its end are missing"):
        journal(root)


def test_a_kill_before_the_end_is_noted_is_no_loss(root, history, monkeypatch):
    """The line counts, and the next decision notes the end for both."""
    with monkeypatch.context() as patch:
        patch.setattr(decisions, "anchor", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            decide(root, "promote", "e", 50)
    assert (verify(root), champion_at(root, 60), decisions.head(root)[0]) == (5, "e", 4)
    last = decide(root, "promote", "f", 70)
    assert (verify(root), decisions.head(root)) == (6, (6, last["hash"]))


def test_a_damaged_note_of_the_end_is_named(root, history):
    """It is no reason to trust the journal."""
    (root.decisions / "head.json").write_text("{}")
    with pytest.raises(RegistryError, match=r"head.json is damaged"):
        verify(root)


def test_a_record_forged_with_a_right_hash_breaks_the_chain(root, history):
    """Rewriting the past takes rewriting everything after it."""
    path = root.decisions / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    forged = {k: v for k, v in history[0].items() if k != "hash"} | {"candidate": "x"}
    forged["hash"] = record_hash(forged)
    publish_to = root.decisions / f"000001-{forged['hash'][:16]}.json"
    publish_to.write_text(json.dumps(forged))
    line = json.loads(lines[0]) | {"hash": forged["hash"], "champion": "x"}
    path.write_text("".join([json.dumps(line) + "\n", *lines[1:]]))
    with pytest.raises(RegistryError, match="Decision 2 does not follow"):
        verify(root)


def test_a_record_rewritten_with_its_own_hash_is_found_by_the_next_one(root, history):
    """Record and journal line agree with each other, and the champion is the one that it was: only `prev` tells."""
    path = root.decisions / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    forged = {key: value for key, value in history[1].items() if key != "hash"} | {"approver": "someone else"}
    forged["hash"] = record_hash(forged)
    (root.decisions / f"000002-{forged['hash'][:16]}.json").write_text(json.dumps(forged))
    lines[1] = json.dumps(json.loads(lines[1]) | {"hash": forged["hash"]}) + "\n"
    path.write_text("".join(lines))
    assert decisions.read(root, journal(root)[1]) == forged
    with pytest.raises(RegistryError, match="Decision 3 does not follow"):
        verify(root)


def test_a_missing_record_is_named(root, history):
    """The message says which file to restore."""
    (path,) = root.decisions.glob("000003-*.json")
    path.unlink()
    with pytest.raises(RegistryError, match=path.name):
        verify(root)


def test_a_decided_number_is_never_given_again(root, history):
    """A record made from an old reading of the journal is refused, and the published one stays as it was."""
    late = {key: value for key, value in history[1].items() if key != "hash"} | {"candidate": "late"}
    late["hash"] = record_hash(late)
    with pytest.raises(RegistryError, match="already 000002-"):
        publish(root, late)
    assert verify(root) == 4


def test_publishing_twice_leaves_the_file_alone(root, history):
    """A record is immutable: the second time nothing is written."""
    (path,) = root.decisions.glob("000002-*.json")
    before = path.stat()
    assert publish(root, history[1]) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_published_record_without_its_line_is_not_in_force(root, history):
    """A kill between the two leaves a file that counts for nothing, and its number is free for the next decision."""
    lost = stage(
        root, {"decision": "promote", "candidate": "d", "evidence": "", "decided_at": 50, "champion_before": "c"}
    )
    publish(root, lost)
    assert champion_at(root, 60) == "c"
    again = decide(root, "promote", "e", 70)
    assert (again["number"], again["prev"]) == (5, history[-1]["hash"])
    assert (verify(root), champion_at(root, 80)) == (5, "e")


def test_a_torn_last_line_is_a_decision_that_was_not_taken(root, history):
    """A power cut in the middle of the last line leaves the decisions before it, and the next one follows them."""
    path = root.decisions / "journal.jsonl"
    with path.open("a") as journal_file:
        journal_file.write('{"at": 50, "champion": "d", "decision": "prom')
    assert champion_at(root, 50) == "c"
    decide(root, "promote", "e", 60)
    assert (verify(root), champion_at(root, 70)) == (5, "e")


def test_an_empty_root_has_no_decisions(root):
    """No journal is an empty journal."""
    assert (journal(root), verify(root), champion_at(root, 10**18)) == ([], 0, None)
