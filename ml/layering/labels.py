"""The label log: what people and programs say of cues, append-only, and what follows from it.

Here: votes and their undoing in SQLite, the label of each cue with its tier, agreement of labellers, CSV.
Not here: the order in which cues are reviewed (`ml.layering.review_order`), the page on which people vote.

A vote that was accepted survives a kill and a power cut: the log is in WAL mode with synchronous FULL, and a call
returns after the commit. Nothing is ever changed or removed; an undo is one more row.

Tiers, best first: `injected` (planted, so known), `gold` (two reviewers agree, and more of them than disagree),
`silver` (one reviewer), `weak` (what the price did), `self` (what the detector itself said). Reviewers who disagree
without such a majority leave a cue without a label, as a conflict.
"""

import csv
import io
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ml.core.errors import DatasetError
from ml.core.time import SECOND
from ml.layering.tables import LABELLED, TIERS
from ml.storage import durable

REVIEW = "review"
SOURCES = (REVIEW, "injected", "weak", "self")
FOR_TESTS = ("injected", "gold", "silver")
"""Tiers that a test set may hold: what a price or a detector says is no truth."""
VERDICTS = {"accept": 1, "reject": 0, "unsure": None}
COLUMNS = ("cue_id", "verdict", "labeller", "source", "time", "note", "undone")
"""Of the CSV; times in ISO 8601 UTC with nanoseconds, which spreadsheets leave alone."""
LAST_NS = 9 * 10**18
WAIT_S = 60
"""Seconds to wait for another writer."""
_SCHEMA = """
create table if not exists cues (cue_id text primary key) without rowid;
create table if not exists votes (
    vote_id integer primary key autoincrement,
    cue_id text not null references cues,
    label integer check (label in (0, 1)),
    labeller text not null check (labeller <> ''),
    source text not null check (source in ('review', 'injected', 'weak', 'self')),
    time integer not null check (time > 0),
    note text not null
);
create table if not exists undone (vote_id integer primary key references votes, time integer not null);
create index if not exists votes_by_cue on votes (cue_id);
create trigger if not exists votes_stay before update on votes begin select raise(abort, 'the log only grows'); end;
create trigger if not exists votes_last before delete on votes begin select raise(abort, 'the log only grows'); end;
create trigger if not exists undone_stay before update on undone begin select raise(abort, 'the log only grows'); end;
create trigger if not exists undone_last before delete on undone begin select raise(abort, 'the log only grows'); end;
"""
_VOTES = {
    "vote_id": pl.Int64,
    "cue_id": pl.String,
    "label": pl.Int8,
    "labeller": pl.String,
    "source": pl.String,
    "time": pl.Int64,
    "note": pl.String,
    "undone": pl.Int64,
}
WEAK_NS = 30 * SECOND
"""How long after the last pull a weak label looks at the price."""


class BadRow(NamedTuple):
    """A row of a CSV that was not taken: its line in the file, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Imported:
    """What became of a CSV: rows that were added, rows that the log has already, and rows that are invalid."""

    added: int
    known: int
    bad: tuple[BadRow, ...]


class LabelLog:
    """The log in a file; each call is one transaction, so several processes may write.

    Args:
        path: the SQLite file; it is made if there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_new = not path.exists()
        durable.make_folder(path.parent)
        self.connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = full")
        self.connection.execute("pragma foreign_keys = on")
        self.connection.executescript(_SCHEMA)
        if is_new:
            durable.sync_folder(path.parent)

    def __enter__(self) -> "LabelLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add_cues(self, cue_ids: Iterable[str]) -> int:
        """Make cues known, so that they can be voted on; how many are new."""
        with self._writing() as at:
            before = at.total_changes
            at.executemany("insert or ignore into cues values (?)", [(cue_id,) for cue_id in cue_ids])
            return at.total_changes - before

    def vote(
        self, cue_id: str, label: int | None, labeller: str, time: int, note: str = "", source: str = REVIEW
    ) -> int:
        """Add a vote; the newest of a labeller counts. Returns its id.

        Args:
            cue_id: a known cue.
            label: 1 layering, 0 not, None unsure.
            labeller: who votes.
            time: ns UTC.
            note: free text.
            source: one of SOURCES.

        Raises:
            DatasetError: the cue is unknown, the labeller has no name, or the source or the label is none.
        """
        with self._writing() as at:
            return _insert(at, cue_id, label, labeller, source, time, note)

    def undo(self, labeller: str, time: int, cue_id: str | None = None) -> str:
        """Take back the last vote in review of a labeller that stands, of one cue or of any; the id of its cue.

        Raises:
            DatasetError: there is none.
        """
        with self._writing() as at:
            found = at.execute(
                "select vote_id, cue_id from votes where labeller = ?1 and source = 'review'"
                " and (?2 is null or cue_id = ?2) and vote_id not in (select vote_id from undone)"
                " order by vote_id desc limit 1",
                (labeller, cue_id),
            ).fetchone()
            if found is None:
                of = f" of {cue_id}" if cue_id else ""
                raise DatasetError(f"{labeller} has no vote{of} that could be undone. Export shows every vote.")
            at.execute("insert into undone values (?, ?)", (found[0], time))
            return found[1]

    def votes(self) -> pl.DataFrame:
        """Every vote in the order of the log; `undone` is when it was taken back, null if it stands."""
        rows = self.connection.execute(
            "select v.vote_id, cue_id, label, labeller, source, v.time, note, u.time"
            " from votes v left join undone u using (vote_id) order by v.vote_id"
        ).fetchall()
        return pl.DataFrame(rows, schema=_VOTES, orient="row")

    def cues(self) -> list[str]:
        """Ids of all known cues."""
        return [row[0] for row in self.connection.execute("select cue_id from cues order by cue_id")]

    def labels(self) -> pl.DataFrame:
        """The label of each cue that was voted on, see `resolve`."""
        return resolve(self.votes())

    def csv(self) -> str:
        """Every vote as CSV."""
        names = {label: name for name, label in VERDICTS.items()}
        sink = io.StringIO(newline="")
        writer = csv.writer(sink)
        writer.writerow(COLUMNS)
        for row in self.votes().iter_rows(named=True):
            undone = "" if row["undone"] is None else _iso(row["undone"])
            columns = (row["cue_id"], names[row["label"]], row["labeller"], row["source"])
            writer.writerow([*columns, _iso(row["time"]), row["note"], undone])
        return sink.getvalue()

    def load(self, text: str) -> Imported:
        """Add the votes of a CSV that the log does not have, all in one transaction; invalid rows are left out.

        Raises:
            DatasetError: the text is no CSV with the columns, see COLUMNS; nothing was added.
        """
        added = 0
        known = 0
        bad: list[BadRow] = []
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            missing = [name for name in COLUMNS[:-2] if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(
                    f"The CSV has no column {', '.join(missing)}. Its first line must name {','.join(COLUMNS)}."
                )
            with self._writing() as at:
                for line, row in _rows(reader):
                    try:
                        fresh = _insert_row(at, row)
                    except (DatasetError, ValueError) as error:
                        bad.append(BadRow(line, str(error)))
                        continue
                    added += fresh
                    known += not fresh
        except csv.Error as error:
            raise DatasetError(
                f"The CSV cannot be read beyond line {reader.line_num}: {error}. Nothing was added."
            ) from error
        return Imported(added, known, tuple(bad))

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        self.connection.execute("begin immediate")
        with self.connection:  # commits, or rolls back if there was an error
            yield self.connection


def resolve(votes: pl.DataFrame) -> pl.DataFrame:
    """The label of each cue, its tier, the votes of reviewers and whether they conflict.

    The label is null where reviewers disagree or are unsure. Only votes that stand count, and of a labeller and source
    the newest.
    """
    standing = votes.filter(pl.col("undone").is_null()).sort("vote_id")
    newest = standing.unique(["cue_id", "labeller", "source"], keep="last", maintain_order=True)
    rows = [_resolved(str(cue_id), group) for (cue_id,), group in newest.group_by("cue_id", maintain_order=True)]
    return pl.DataFrame(rows, schema=LABELLED.schema, orient="row").sort("cue_id")


def _resolved(cue_id: str, votes: pl.DataFrame) -> tuple[Any, ...]:
    by_source: dict[str, list[int]] = {source: [] for source in SOURCES}
    for source, label in votes.select("source", "label").iter_rows():
        if label is not None:
            by_source[source].append(label)
    accepts = sum(by_source[REVIEW])
    rejects = len(by_source[REVIEW]) - accepts
    most = max(accepts, rejects)
    conflict = min(accepts, rejects) > 0 and (most < 2 or accepts == rejects)
    label: int | None = None
    tier: str | None = None
    if by_source["injected"]:
        label, tier = by_source["injected"][-1], "injected"
    elif most > 0:
        if not conflict:
            label, tier = int(accepts > rejects), "gold" if most >= 2 else "silver"
    else:
        for source in ("weak", "self"):
            if by_source[source] and tier is None:
                label, tier = by_source[source][-1], source
    return cue_id, label, tier, accepts, rejects, conflict


class Agreement(NamedTuple):
    """How two labellers agree: cues on which both decided, share on which they agree, Cohen's kappa.

    `kappa` is None where it is undefined: no cue in common, or both always said the same one thing.
    """

    first: str
    second: str
    cues: int
    agreement: float | None
    kappa: float | None


def agreements(votes: pl.DataFrame) -> list[Agreement]:
    """Each pair of reviewers with what they decided alike (Cohen 1960); who is unsure did not decide."""
    reviews = votes.filter(pl.col("undone").is_null(), pl.col("source") == REVIEW, pl.col("label").is_not_null())
    newest = reviews.sort("vote_id").unique(["cue_id", "labeller"], keep="last")
    decided = {
        str(name): dict(group.select("cue_id", "label").iter_rows()) for (name,), group in newest.group_by("labeller")
    }
    names = sorted(decided)
    return [
        _agreement(first, second, decided[first], decided[second])
        for k, first in enumerate(names)
        for second in names[k + 1 :]
    ]


def _agreement(first: str, second: str, one: dict[str, int], other: dict[str, int]) -> Agreement:
    both = [(one[cue], other[cue]) for cue in one.keys() & other.keys()]
    if not both:
        return Agreement(first, second, 0, None, None)
    n = len(both)
    agreed = sum(a == b for a, b in both) / n
    accepted = [sum(pair[k] for pair in both) / n for k in range(2)]
    chance = accepted[0] * accepted[1] + (1 - accepted[0]) * (1 - accepted[1])
    return Agreement(first, second, n, agreed, None if chance == 1 else (agreed - chance) / (1 - chance))


def price_reversal(side: int, at_pull: float, later: float, least_bps: float = 3.0) -> int | None:
    """A weak label by what the price did after the layers were pulled, as the predecessor labelled.

    It says how the price moved and nothing of anybody's intention, so it never enters a test set.

    Args:
        side: of the layers, 1 bid or -1 ask.
        at_pull: mid price at the last pull.
        later: mid price 30 s later.
        least_bps: a smaller move says nothing.

    Returns:
        1 where the price went back from where the layers pushed it, 0 where it went on, None where it hardly moved.
    """
    moved = (later / at_pull - 1) * 1e4 * side
    return None if abs(moved) < least_bps else int(moved < 0)


def _insert(
    at: sqlite3.Connection, cue_id: str, label: int | None, labeller: str, source: str, time: int, note: str
) -> int:
    if at.execute("select 1 from cues where cue_id = ?", (cue_id,)).fetchone() is None:
        raise DatasetError(f"there is no cue {cue_id!r}. Name one that a scan found.")
    if not labeller.strip():
        raise DatasetError("a vote needs the name of its labeller.")
    if source not in SOURCES:
        raise DatasetError(f"the source {source!r} is none of {', '.join(SOURCES)}.")
    if label not in (0, 1, None):
        raise DatasetError(f"the label {label!r} is neither 1, 0 nor none.")
    values = (cue_id, label, labeller.strip(), source, time, note)
    added = at.execute(
        "insert into votes (cue_id, label, labeller, source, time, note) values (?, ?, ?, ?, ?, ?)", values
    )
    return int(added.lastrowid or 0)


def _insert_row(at: sqlite3.Connection, row: dict[str, str]) -> bool:
    """Add the vote of a row of a CSV; false where the log has it."""
    if row["verdict"] not in VERDICTS:
        raise DatasetError(f"the verdict {row['verdict']!r} is none of {', '.join(VERDICTS)}.")
    label = VERDICTS[row["verdict"]]
    time = _ns(row["time"])
    note = row.get("note") or ""
    undone = _ns(row["undone"]) if row.get("undone") else None
    labeller = row["labeller"].strip()
    same = at.execute(
        "select vote_id from votes where cue_id = ? and label is ? and labeller = ? and source = ? and time = ?"
        " and note = ?",
        (row["cue_id"], label, labeller, row["source"], time, note),
    ).fetchone()
    vote_id = same[0] if same else _insert(at, row["cue_id"], label, labeller, row["source"], time, note)
    if undone is None:
        return same is None
    fresh = at.execute("insert or ignore into undone values (?, ?)", (vote_id, undone)).rowcount
    return same is None or fresh > 0


def _rows(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the line on which each ends; missing fields are empty."""
    for row in reader:
        yield reader.line_num, {name: value or "" for name, value in row.items() if isinstance(name, str)}


def _iso(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{ns % SECOND:09d}Z"


def _ns(text: str) -> int:
    """An ISO 8601 time in UTC as ns.

    Raises:
        ValueError: it is none.
    """
    whole, _, fraction = text.strip().removesuffix("Z").partition(".")
    try:
        at = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        rest = int(fraction.ljust(9, "0")[:9]) if fraction else 0
    except ValueError as error:
        raise ValueError(f"the time {text!r} is no UTC time like 2025-03-03T10:00:00.5Z.") from error
    ns = int(at.timestamp()) * SECOND + rest
    if not 0 < ns < LAST_NS:
        raise ValueError(f"the time {text!r} is before 1970 or after 2255.")
    return ns


def for_training(labels: pl.DataFrame, tiers: Sequence[str] = TIERS) -> pl.DataFrame:
    """Cues with a label of one of some tiers."""
    return labels.filter(pl.col("tier").is_in(tiers), pl.col("label").is_not_null())


def for_tests(labels: pl.DataFrame) -> pl.DataFrame:
    """Cues with a label that a test set may hold, see FOR_TESTS."""
    return for_training(labels, FOR_TESTS)
