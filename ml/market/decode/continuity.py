"""Follows the update ids of one book: which messages may be applied, and where the sequence breaks.

The id rules of each feed belong to `ml.market.decode.id_rules`. Whether the resulting book is plausible (crossed,
one-sided) is checked by the kernel (`ml.market.book.kernel`).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from ml.market.decode.events import BookMessage
from ml.market.decode.id_rules import IdRule

NO_ID = -1
REMEMBERED = 512
"""Diffs kept to lay over a snapshot that is older than the book, and to tell repeats; 10 s or more of any feed."""


class Verdict(Enum):
    """What becomes of a book message."""

    APPLY = auto()
    """Continues the chain."""
    ANCHOR = auto()
    """Replaces the book: a snapshot with the diffs after it laid over."""
    BREAK = auto()
    """Shows that messages are missing: the book is unknown from the last good message on."""
    WAIT = auto()
    """Cannot be applied before a snapshot comes; kept for it."""
    DROPPED = auto()
    """Lies wholly before the snapshot that anchors the book."""
    REPEAT = auto()
    """Was seen before; applied once."""
    UNEQUAL = auto()
    """Has an id that was seen before, with other content."""


@dataclass(slots=True)
class Step:
    """One verdict.

    `from_id` and `to_id` bound what is missing at a BREAK. `messages` and `levels` count what of the stream takes
    effect by this step for the first time: a REST snapshot is no message of the stream. Where trades are missing
    (`of_trades`), the ids are theirs.
    """

    verdict: Verdict
    message: BookMessage
    from_id: int = -1
    to_id: int = -1
    reason: str = ""
    messages: int = 0
    levels: int = 0
    of_trades: bool = False


class Continuity:
    """Follows the ids of one book; `last_id` is None while the book is unknown, NO_ID where its messages have none.

    A message without ids (`last_id` NO_ID) applies to a book that is anchored by such a message: what is lost between
    two of them cannot be seen. A snapshot after a diff says that the source was reconnected; a snapshot long after
    another one leaves the time between them unknown (`silent`).
    """

    def __init__(self, rule: IdRule, silence_ns: int = 60 * 10**9) -> None:
        self.rule = rule
        self.silence_ns = silence_ns
        """How long snapshots without ids may lie apart: nothing tells whether the time between two was quiet."""
        self.last_id: int | None = None
        self.last_ts = 0
        """Latest event time that was applied, ns UTC."""
        self.left_at = NO_ID
        """The last id before the break, while the book is unknown."""
        self.held: BookMessage | None = None
        self.recent: dict[int, BookMessage] = {}
        self.pending: deque[BookMessage] = deque(maxlen=REMEMBERED)
        self.doubted = False
        """Whether more than book messages may be missing: the next one breaks the chain, whatever its id."""
        self.moved = False
        """Whether a diff without ids was applied since the snapshot."""

    def offer(self, message: BookMessage) -> list[Step]:
        """The verdicts on a message, in the order in which they take effect."""
        if message.last_id == NO_ID:
            return self._unnumbered(message)
        if not message.snapshot:
            return self._diff(message)
        return self._stream_snapshot(message) if self.rule.on_stream else self._rest_snapshot(message)

    def is_next(self, message: BookMessage) -> bool:
        """Whether a message continues the chain."""
        known = self.last_id is not None and self.last_id != NO_ID
        return known and not message.snapshot and self.rule.follows(message, self.last_id or 0)

    def lose(self, reason: str, to_id: int = NO_ID) -> list[Step]:
        """Declare the book unknown though no later message shows it; `to_id` is the last one known to be missing."""
        if self.last_id is None:
            return []
        lost = BookMessage(False, 0, 0, self.last_id, self.last_id, -1)
        return [self._break(lost, to_id, reason)]

    def _unnumbered(self, message: BookMessage) -> list[Step]:
        if message.snapshot and message.event_ts == 0:  # it holds for the next diff, and may come one side at a time
            if self.held is None or self.held.last_id != NO_ID:
                self.held = message
            else:
                self.held.extend(message)
            return []
        steps = list[Step]()
        reset = message.snapshot or self.held is not None
        reason = "" if self.last_id is None else self._unconnected(message, reset)
        if reason:
            steps.append(self._break(message, NO_ID, reason))
        self.moved = not message.snapshot
        if message.snapshot:
            return steps + self._anchor(message, [], on_stream=True)
        if self.held is not None:
            self.last_id = None
            return steps + self._anchor(self.held, [message], on_stream=False)
        verdict = Verdict.WAIT if self.last_id is None else Verdict.APPLY
        counted = (1, len(message.side)) if verdict is Verdict.APPLY else (0, 0)
        return [*steps, Step(verdict, message, messages=counted[0], levels=counted[1])]

    def _unconnected(self, message: BookMessage, reset: bool) -> str:
        """Why a message without ids does not continue the known book; empty if it does."""
        if self.last_id != NO_ID:
            return "sequence_gap"
        if reset and self.moved:
            return "reconnect"
        return "silent" if reset and message.event_ts > self.last_ts + self.silence_ns else ""

    def _diff(self, diff: BookMessage) -> list[Step]:
        if self.last_id is None:
            return self._wait(diff)
        if self.rule.follows(diff, self.last_id) and not self.doubted:
            self.remember(diff)
            steps = [Step(Verdict.APPLY, diff, messages=1, levels=len(diff.side))]
            if self.held is not None and not self.rule.precedes(diff, self.held.last_id):
                steps += self._anchor(self.held, [diff], on_stream=self.rule.on_stream)
            return steps
        known = self.recent.get(diff.last_id)
        behind = diff.last_id <= self.last_id
        if behind and (known is not None or diff.event_ts <= self.last_ts):
            return [_repeat(diff, known)]
        # a later event under a smaller id is no repeat: the venue began its ids again, and how was not seen
        to_id = diff.prev_id if diff.prev_id >= 0 else diff.first_id - 1
        return [self._break(diff, to_id, "restart" if behind else "sequence_gap"), *self._wait(diff)]

    def _wait(self, diff: BookMessage) -> list[Step]:
        if diff.last_id <= self.left_at and diff.event_ts <= self.last_ts:
            return [_repeat(diff, None)]  # a late frame from before the break: with an old snapshot it would anchor
        if self.held is not None:
            if self.rule.precedes(diff, self.held.last_id):
                return [Step(Verdict.DROPPED, diff)]
            if self.rule.straddles(diff, self.held.last_id):
                return self._anchor(self.held, [diff], on_stream=self.rule.on_stream)
            self.held = None  # older than the stream: the next snapshot decides
        if self.pending and not self.rule.follows(diff, self.pending[-1].last_id):
            known = next((p for p in self.pending if p.last_id == diff.last_id), None)
            behind = diff.last_id <= self.pending[-1].last_id
            if behind and (known is not None or diff.event_ts <= self.pending[-1].event_ts):
                return [_repeat(diff, known)]
            self.pending.clear()
        self.pending.append(diff)
        return [Step(Verdict.WAIT, diff)]

    def _stream_snapshot(self, snapshot: BookMessage) -> list[Step]:
        if self._is_late(snapshot):
            return [_repeat(snapshot, None)]
        steps: list[Step] = []
        # an id of 1 is a restart, and what went before it is not known even where the last id was 1 or 0, too
        restarted = snapshot.last_id == 1 and snapshot.event_ts > self.last_ts
        follows = self.last_id is not None and snapshot.last_id - self.last_id in (0, 1) and not self.doubted
        if self.last_id is not None and (restarted or not follows):
            steps.append(self._break(snapshot, snapshot.first_id - 1, "restart" if restarted else "sequence_gap"))
        return steps + self._anchor(snapshot, [], on_stream=True)

    def _is_late(self, snapshot: BookMessage) -> bool:
        """Whether a newer message was seen: the book would go back, and no newer snapshot would be asked for."""
        seen = self.pending[-1] if self.pending else None
        last_id = seen.last_id if seen else self.left_at if self.last_id is None else self.last_id
        last_ts = max(self.last_ts, seen.event_ts) if seen else self.last_ts
        return snapshot.last_id != last_id and (snapshot.event_ts, snapshot.last_id) < (last_ts, last_id)

    def _rest_snapshot(self, snapshot: BookMessage) -> list[Step]:
        if self.doubted:
            self.held = snapshot  # for the message that breaks the chain: nobody will ask for another
            return []
        known = list(self.pending) if self.last_id is None else list(self.recent.values())
        after = [diff for diff in known if not self.rule.precedes(diff, snapshot.last_id)]
        if after:
            # a snapshot older than everything we remember cannot be connected; the next one can
            return (
                self._anchor(snapshot, after, on_stream=False)
                if self.rule.straddles(after[0], snapshot.last_id)
                else []
            )
        self.held = snapshot
        if self.last_id is not None:
            return []
        dropped = [Step(Verdict.DROPPED, diff) for diff in self.pending]
        self.pending.clear()
        return dropped

    def _anchor(self, snapshot: BookMessage, after: Iterable[BookMessage], *, on_stream: bool) -> list[Step]:
        """Replace the book by the snapshot with the diffs that it does not hold laid over it.

        A snapshot that was asked for tells nothing of the time after the last of these diffs, whose time it gets.
        """
        was_waiting = self.last_id is None
        dropped = [d for d in self.pending if self.rule.precedes(d, snapshot.last_id)] if was_waiting else []
        book = BookMessage(
            True,
            snapshot.event_ts if on_stream else 0,
            snapshot.send_ts,
            snapshot.first_id,
            snapshot.last_id,
            -1,
            list(snapshot.side),
            list(snapshot.price),
            list(snapshot.size),
        )
        self.held = None
        self.pending.clear()
        if was_waiting:
            self.recent.clear()
            self.last_id = snapshot.last_id
        anchor = Step(Verdict.ANCHOR, book)
        for diff in after:
            book.extend(diff)
            book.event_ts = max(book.event_ts, diff.event_ts)
            book.last_id = max(book.last_id, diff.last_id)
            if was_waiting:
                self.remember(diff)
                anchor.messages, anchor.levels = anchor.messages + 1, anchor.levels + len(diff.side)
        self.last_ts = max(0 if was_waiting else self.last_ts, book.event_ts)
        if on_stream:
            self.last_id = snapshot.last_id
            anchor.messages = 1
            anchor.levels = len(snapshot.side)
        return [Step(Verdict.DROPPED, d) for d in dropped] + [anchor]

    def _break(self, refused: BookMessage, to_id: int, reason: str) -> Step:
        last = self.last_id
        assert last is not None  # noqa: S101 - only a running chain can break
        self.last_id = None
        self.left_at = last
        self.doubted = False
        self.recent.clear()
        return Step(Verdict.BREAK, refused, last, to_id, reason)

    def remember(self, diff: BookMessage) -> None:
        """Note a diff that was applied."""
        self.last_id, self.last_ts = diff.last_id, max(self.last_ts, diff.event_ts)
        self.recent[diff.last_id] = diff
        if len(self.recent) > REMEMBERED:
            del self.recent[next(iter(self.recent))]


def _repeat(diff: BookMessage, known: BookMessage | None) -> Step:
    """A diff whose id lies behind the chain: the same message again, or another one under its id."""
    same = known is None or (known.side, known.price, known.size) == (diff.side, diff.price, diff.size)
    return Step(Verdict.REPEAT if same else Verdict.UNEQUAL, diff)
