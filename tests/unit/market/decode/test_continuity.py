"""Update-id rules: what may be applied, and where the chain breaks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.market.decode.continuity import NO_ID, Continuity, Verdict
from ml.market.decode.events import BookMessage
from ml.market.decode.id_rules import BY_ONE, CHAINED, FUTURES, RULES, SPOT, UNNUMBERED


def diff(first, last, prev, size=1):
    return BookMessage(False, last, last, first, last, prev, [1], [100 + last], [size])


def by_one(u, size=1):
    return diff(u, u, -1, size)


def snap(last):
    return BookMessage(True, last, last, last, last, -1, [1], [1], [1])


def at(message, ts):
    """The same message, of that event time."""
    return replace(message, event_ts=ts)


def verdicts(chain, *messages):
    return [step.verdict.name for message in messages for step in chain.offer(message)]


def test_a_rest_snapshot_waits_for_the_diff_that_straddles_it():
    """Diffs before the snapshot are kept; those inside it are dropped, the straddling one anchors."""
    chain = Continuity(FUTURES)
    assert verdicts(chain, diff(1, 5, 0), diff(7, 9, 5), diff(11, 14, 9)) == ["WAIT"] * 3
    assert verdicts(chain, snap(8)) == ["DROPPED", "ANCHOR"]
    assert chain.last_id == 14


def test_a_snapshot_ahead_of_the_stream_is_held():
    """A snapshot newer than all diffs anchors with the diff that reaches it."""
    chain = Continuity(FUTURES)
    assert verdicts(chain, diff(1, 5, 0), snap(12), diff(6, 9, 5), diff(11, 14, 9)) == [
        "WAIT",
        "DROPPED",
        "DROPPED",
        "ANCHOR",
    ]


def test_a_snapshot_whose_id_falls_between_two_diffs_connects():
    """Ids are shared by all symbols: nothing lies between pu and the snapshot, so nothing is missing."""
    chain = Continuity(FUTURES)
    assert verdicts(chain, snap(7), diff(9, 12, 5)) == ["ANCHOR"]


def test_a_snapshot_older_than_the_stream_is_of_no_use():
    """The first kept diff starts after it: something would be missing."""
    chain = Continuity(FUTURES)
    assert verdicts(chain, diff(20, 25, 19), snap(8)) == ["WAIT"]
    assert chain.last_id is None


def test_a_periodic_snapshot_lays_later_diffs_over_itself():
    """A snapshot that arrives late replaces the book without losing what came after it."""
    chain = Continuity(FUTURES)
    verdicts(chain, snap(5), diff(5, 8, 4), diff(9, 12, 8))
    (step,) = chain.offer(snap(9))
    assert (step.verdict, step.message.price, step.messages) == (Verdict.ANCHOR, [1, 112], 0)
    assert chain.last_id == 12


def test_a_missing_diff_breaks_the_chain_with_its_bounds():
    """from_id is the last applied id, to_id what the refused diff says came before it."""
    chain = Continuity(FUTURES)
    verdicts(chain, snap(5), diff(5, 8, 4))
    broken, waits = chain.offer(diff(13, 15, 12))
    assert (broken.verdict, broken.from_id, broken.to_id, broken.reason) == (Verdict.BREAK, 8, 12, "sequence_gap")
    assert waits.verdict is Verdict.WAIT
    assert verdicts(chain, diff(16, 17, 15), snap(16)) == ["WAIT", "DROPPED", "ANCHOR"]


@pytest.mark.parametrize(
    ("rule", "wrong", "to_id"),
    [
        (BY_ONE, diff(12, 12, -1), 11),  # no id of the one before: what is missing ends just before its own first
        (SPOT, diff(13, 15, -1), 12),
        (BY_ONE, diff(9, 11, -1), 8),  # it begins before what was applied, and ends after it
        (SPOT, diff(10, 15, -1), 9),
        (CHAINED, diff(14, 14, 9), 9),  # it follows another message than the last
        (CHAINED, diff(14, 14, 12), 12),
    ],
)
def test_only_the_next_diff_goes_on_and_a_break_tells_what_is_missing(rule, wrong, to_id):
    """By each rule for ids, after the id 10."""
    chain = Continuity(rule)
    chain.last_id = 10
    chain.last_ts = 10
    broken, _ = chain.offer(wrong)
    assert (broken.verdict, broken.from_id, broken.to_id, broken.reason) == (Verdict.BREAK, 10, to_id, "sequence_gap")


def test_repeats_are_dropped_and_unequal_repeats_refused():
    """The same message again does nothing; another one under its id is no repeat."""
    chain = Continuity(FUTURES)
    verdicts(chain, snap(5), diff(5, 8, 4))
    assert verdicts(chain, diff(5, 8, 4), diff(5, 8, 4, size=9)) == ["REPEAT", "UNEQUAL"]
    assert chain.last_id == 8


def test_a_stream_snapshot_anchors_at_once():
    """Bybit: the snapshot is part of the stream; the next message must be its successor."""
    chain = Continuity(BY_ONE)
    assert verdicts(chain, by_one(4), snap(7), by_one(8), by_one(10)) == [
        "WAIT",
        "DROPPED",
        "ANCHOR",
        "APPLY",
        "BREAK",
        "WAIT",
    ]


@pytest.mark.parametrize(
    ("last", "expected"), [(8, ["ANCHOR"]), (9, ["ANCHOR"]), (1, ["BREAK", "ANCHOR"]), (30, ["BREAK", "ANCHOR"])]
)
def test_a_stream_snapshot_tells_whether_something_was_missed(last, expected):
    """The same id again or the next one is no break; a restart (u = 1) or a jump is."""
    chain = Continuity(BY_ONE)
    verdicts(chain, snap(7), by_one(8))
    assert verdicts(chain, at(snap(last), 99)) == expected


def test_a_late_stream_snapshot_replaces_no_newer_book():
    """Neither while the book is known nor while it waits for another; the same book again is no late one."""
    chain = Continuity(BY_ONE)
    verdicts(chain, snap(1), by_one(2), by_one(3))
    assert verdicts(chain, snap(1), by_one(4)) == ["REPEAT", "APPLY"]
    chain.lose("reconnect")
    assert verdicts(chain, snap(1), by_one(2), snap(4), by_one(5)) == ["REPEAT", "REPEAT", "ANCHOR", "APPLY"]


@pytest.mark.promise("A2")
@given(st.lists(st.booleans(), max_size=60), st.lists(st.integers(1, 60), max_size=6))
def test_the_chain_is_applied_exactly_where_nothing_is_missing(kept, snapshots):
    """Any losses, any snapshots: an applied diff follows the one before it, and every loss after an anchor shows."""
    chain = Continuity(FUTURES)
    book = None
    applied = []
    for number, keep in enumerate(kept, start=1):
        offered = ([diff(number, number, number - 1)] if keep else []) + [
            snap(number) for at in snapshots if at == number
        ]
        for message in offered:
            for step in chain.offer(message):
                if step.verdict is Verdict.APPLY:
                    assert step.message.prev_id == book, "a diff was applied over a hole"
                    book = step.message.last_id
                    applied.append(book)
                elif step.verdict is Verdict.ANCHOR:
                    book = step.message.last_id
                elif step.verdict is Verdict.BREAK:
                    assert not all(kept[step.from_id : step.to_id]), "a break without a loss"
                    book = None
    assert chain.last_id == book
    if all(kept) and snapshots and min(snapshots) <= len(kept):
        assert book == len(kept)


def plain(snapshot=False, ts=1, side=1):
    """A message without ids."""
    return BookMessage(snapshot, ts, 0, NO_ID, NO_ID, -1, [side], [100], [1])


@pytest.mark.parametrize("rule", sorted(set(RULES.values()), key=id), ids=lambda _: "rule")
def test_messages_without_ids_follow_a_snapshot_whatever_the_venue(rule):
    """They wait for one, apply after it, and starts over with the next: what came between is unknown."""
    chain = Continuity(rule)
    assert verdicts(chain, plain(), plain(True), plain(), plain()) == ["WAIT", "ANCHOR", "APPLY", "APPLY"]
    assert verdicts(chain, plain(True), plain(True), plain()) == ["BREAK", "ANCHOR", "ANCHOR", "APPLY"]


def test_a_snapshot_without_time_holds_for_the_next_diff():
    """Its two sides may come apart."""
    chain = Continuity(UNNUMBERED)
    assert verdicts(chain, plain(True, 0), plain(True, 0, -1)) == []
    (step,) = chain.offer(plain())
    assert (step.verdict, step.message.side, step.messages, step.levels) == (Verdict.ANCHOR, [1, -1, 1], 1, 1)
    assert verdicts(chain, plain(), plain(True, 0), plain()) == ["APPLY", "BREAK", "ANCHOR"]


def test_messages_with_and_without_ids_do_not_follow_one_another():
    """Nothing connects two sources of one book; a snapshot of either starts over."""
    chain = Continuity(BY_ONE)
    assert verdicts(chain, snap(5), by_one(6), plain()) == ["ANCHOR", "APPLY", "BREAK", "WAIT"]
    assert verdicts(chain, plain(True), by_one(7)) == ["ANCHOR", "BREAK", "WAIT"]
    assert verdicts(chain, snap(8), by_one(9)) == ["DROPPED", "ANCHOR", "APPLY"]


@pytest.mark.parametrize("unseen", [1, 2])
def test_a_restart_whose_beginning_was_lost_is_seen_by_its_times(unseen):
    """A later change under a smaller id is no repeat: taken for one, it and all after it would be dropped."""
    chain = Continuity(CHAINED)
    assert verdicts(chain, at(snap(500), 7), at(diff(501, 505, 500), 8)) == ["ANCHOR", "APPLY"]
    assert verdicts(chain, at(diff(501, 505, 500), 8), at(diff(400, 401, 399), 8)) == ["REPEAT", "REPEAT"]
    broken, waits = chain.offer(at(diff(1 + unseen, 1 + unseen, unseen), 9))
    assert (broken.verdict, broken.from_id, broken.reason, waits.verdict) == (
        Verdict.BREAK,
        505,
        "restart",
        Verdict.WAIT,
    )
    assert verdicts(chain, at(snap(7), 10), at(diff(8, 9, 7), 11)) == ["DROPPED", "ANCHOR", "APPLY"]


def test_a_late_frame_from_before_a_break_is_no_anchor():
    """Beside a late snapshot it would make an old book known, and no newer snapshot would be asked for."""
    chain = Continuity(FUTURES)
    verdicts(chain, snap(3), diff(1, 5, 0), diff(7, 9, 5))
    chain.lose("reconnect")
    assert verdicts(chain, snap(3), diff(1, 5, 0)) == ["REPEAT"]
    assert chain.last_id is None
    assert verdicts(chain, diff(11, 14, 9), snap(12)) == ["WAIT", "ANCHOR"]


def test_a_snapshot_between_a_loss_and_the_next_message_is_kept_for_it():
    """The loss is a gap though the ids follow; the book is known again at once, and no other snapshot is needed."""
    chain = Continuity(FUTURES)
    verdicts(chain, snap(3), diff(1, 5, 0), diff(7, 9, 5))
    chain.doubted = True
    assert verdicts(chain, snap(9), diff(11, 14, 9), diff(15, 16, 14)) == ["BREAK", "ANCHOR", "APPLY"]


def test_a_restart_while_the_book_is_unknown_restarts_the_buffer():
    """What waits for a REST snapshot are the changes that it can be laid under."""
    chain = Continuity(FUTURES)
    assert verdicts(chain, at(diff(500, 505, 499), 8), at(diff(2, 3, 1), 9), at(diff(500, 505, 499), 8)) == ["WAIT"] * 3
    assert [message.last_id for message in chain.pending] == [505]
    assert verdicts(chain, at(diff(4, 5, 3), 10), at(diff(4, 5, 3), 10)) == ["WAIT", "REPEAT"]


def test_a_second_restart_is_a_break_too():
    """What came between two snapshots of id 1 is not known, though the ids look alike."""
    chain = Continuity(BY_ONE)
    again = [at(snap(1), 20), at(snap(1), 30)]
    assert verdicts(chain, snap(7), *again) == ["ANCHOR", "BREAK", "ANCHOR", "BREAK", "ANCHOR"]
