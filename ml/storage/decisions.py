"""Decision records: immutable and hash-chained, with a journal that says which model was champion when.

This module writes records, and reads and checks the chain. Gates belong to `ml.evaluation.gates`, the model registry
to `ml.promotion.registry`.

A record is a JSON file named by its number and hash; its `prev` is the hash of the previous record. The journal has
one line per record, appended last: the line makes the decision effective. Then `head.json` takes its number and hash,
so that a journal that lost lines at its end is seen. Each experiment has a chain and a journal of its own.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.core.errors import RegistryError
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.storage.durable import append_line, write_text

GENESIS = "0" * 64
TAKES_OVER = ("promote", "rollback")
"""Decisions after which the candidate is champion."""
NO_HEAD = (0, GENESIS)


@dataclass(frozen=True)
class JournalLine:
    """One decision in the journal; `champion` is the model id after it, None if there is none; `at` is ns UTC."""

    number: int
    hash: str
    decision: str
    champion: str | None
    evidence: str
    at: int


def names(root: DataRoot) -> list[str]:
    """The experiments that have decisions, the default one first."""
    others = [path.name for path in root.decisions.iterdir() if path.is_dir()] if root.decisions.exists() else []
    return [DEFAULT_EXPERIMENT, *sorted(others)]


def journal(root: DataRoot, name: str = DEFAULT_EXPERIMENT) -> list[JournalLine]:
    """All decisions on an experiment's models, oldest first.

    Raises:
        RegistryError: a line is none that was ever written, or lines at the end are gone; a torn last line never took
            effect.
    """
    path = root.decisions_of(name) / "journal.jsonl"
    known = head(root, name)  # read first: a line that is appended meanwhile is no loss
    try:
        text = path.read_text() if path.exists() else ""
        lines = [JournalLine(**json.loads(line)) for line in text.splitlines() if line.endswith("}")]
    except (ValueError, TypeError) as error:
        raise RegistryError(f"{path} has a damaged line: {error}. Restore the journal from a backup.") from error
    demand_head(path, lines, known)
    return lines


def journal_size(root: DataRoot, name: str = DEFAULT_EXPERIMENT) -> int:
    """Bytes of an experiment's journal, which grows with each decision; 0 before the first."""
    path = root.decisions_of(name) / "journal.jsonl"
    return path.stat().st_size if path.exists() else 0


def head(root: DataRoot, name: str = DEFAULT_EXPERIMENT) -> tuple[int, str]:
    """Number and hash of the last decision that is known to be in the journal; 0 and the genesis hash of none.

    Raises:
        RegistryError: the file that holds them was changed.
    """
    path = _head_path(root, name)
    if not path.exists():
        return NO_HEAD
    try:
        content = json.loads(path.read_text())
        return int(content["number"]), str(content["hash"])
    except (ValueError, TypeError, KeyError) as error:
        raise RegistryError(f"{path} is damaged: {error!r}. Restore the decisions folder from a backup.") from error


def demand_head(place: object, lines: Sequence[JournalLine], known: tuple[int, str]) -> None:
    """Refuse a journal that does not hold a decision that is known to have been in it.

    Raises:
        RegistryError: names how many lines are missing.
    """
    number, digest = known
    if number > len(lines):
        raise RegistryError(
            f"{place} has {len(lines)} decisions, but {number} were made: {number - len(lines)} at its end are missing "
            f"(the last one is {digest[:16]}). Restore the journal from a backup."
        )
    if number and lines[number - 1].hash != digest:
        raise RegistryError(
            f"{place} says that decision {number} is {lines[number - 1].hash[:16]}, but {digest[:16]} was made. "
            "Restore the journal from a backup."
        )


def anchor(root: DataRoot, line: JournalLine, name: str = DEFAULT_EXPERIMENT) -> None:
    """Note a line as the end of the journal, unless it is noted already."""
    if head(root, name) != (line.number, line.hash):
        write_text(_head_path(root, name), json.dumps({"number": line.number, "hash": line.hash}))


def champion_at(root: DataRoot, ts: int, name: str = DEFAULT_EXPERIMENT) -> str | None:
    """Id of the model that was champion at a time (ns UTC)."""
    line = line_at(root, ts, name)
    return line.champion if line else None


def line_at(root: DataRoot, ts: int, name: str = DEFAULT_EXPERIMENT) -> JournalLine | None:
    """The last decision that was in force at a time (ns UTC), None before the first."""
    lines = [line for line in journal(root, name) if line.at <= ts]
    return lines[-1] if lines else None


def champion_since(root: DataRoot, ts: int, name: str = DEFAULT_EXPERIMENT) -> int | None:
    """Since when (ns UTC) the model that was champion at a time had been; None if there was none."""
    since: int | None = None
    champion: str | None = None
    for line in journal(root, name):
        if line.at <= ts and line.champion != champion:
            champion, since = line.champion, line.at
    return since if champion else None


def stage(root: DataRoot, content: dict[str, Any], name: str = DEFAULT_EXPERIMENT) -> dict[str, Any]:
    """Complete a record with its number, the hash of the one before it and its own."""
    lines = journal(root, name)
    record = content | {"number": len(lines) + 1, "prev": lines[-1].hash if lines else GENESIS}
    return record | {"hash": record_hash(record)}


def publish(root: DataRoot, record: dict[str, Any], name: str = DEFAULT_EXPERIMENT) -> Path:
    """Write the record's file; an existing one is never changed.

    Raises:
        RegistryError: another record has that number.
    """
    path = _path(root.decisions_of(name), record["number"], record["hash"])
    others = [p for p in root.decisions_of(name).glob(f"{record['number']:06d}-*.json") if p != path]
    if others and any(line.number == record["number"] for line in journal(root, name)):
        raise RegistryError(f"Decision {record['number']} is already {others[0].name}. Materialize the decision again.")
    if not path.exists():
        write_text(path, json.dumps(record, indent=1, sort_keys=True))
    return path


def enter(root: DataRoot, record: dict[str, Any], name: str = DEFAULT_EXPERIMENT) -> JournalLine:
    """Append the journal line with which the record takes effect."""
    line = _line(record)
    append_line(root.decisions_of(name) / "journal.jsonl", json.dumps(vars(line), sort_keys=True))
    anchor(root, line, name)
    return line


def read(root: DataRoot, line: JournalLine, name: str = DEFAULT_EXPERIMENT) -> dict[str, Any]:
    """The record of a journal line.

    Raises:
        RegistryError: it is missing, or its content is not what was decided.
    """
    path = _path(root.decisions_of(name), line.number, line.hash)
    if not path.exists():
        raise RegistryError(f"Decision record {path.name} is missing. Restore it from a backup.")
    try:
        record = json.loads(path.read_text())
    except ValueError:
        record = None  # no JSON any more
    if not isinstance(record, dict) or record_hash(record) != line.hash:
        raise RegistryError(f"Decision record {path.name} was changed after the decision. Restore it from a backup.")
    return record


def verify(root: DataRoot, name: str = DEFAULT_EXPERIMENT) -> int:
    """Check the whole chain of an experiment and return its length.

    Raises:
        RegistryError: a record is missing or changed, the journal says otherwise than it, or the chain is broken.
    """
    before = GENESIS
    champion = None
    for number, line in enumerate(journal(root, name), start=1):
        record = read(root, line, name)
        if (record["prev"], record["number"], record["champion_before"]) != (before, number, champion):
            raise RegistryError(
                f"Decision {line.number} does not follow the previous one. Restore the journal from a backup."
            )
        if line != _line(record):
            raise RegistryError(
                f"The journal's line {line.number} differs from its record. Restore the journal from a backup."
            )
        before = line.hash
        champion = line.champion
    return len(journal(root, name))


def record_hash(record: dict[str, Any]) -> str:
    """Hex sha256 over the record without its own hash."""
    content = {key: value for key, value in record.items() if key != "hash"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _line(record: dict[str, Any]) -> JournalLine:
    """What the journal says of a record; the champion is the candidate if it took over, else the one before."""
    champion = record["candidate"] if record["decision"] in TAKES_OVER else record["champion_before"]
    return JournalLine(
        record["number"], record["hash"], record["decision"], champion, record["evidence"], record["decided_at"]
    )


def _head_path(root: DataRoot, name: str) -> Path:
    return root.decisions_of(name) / "head.json"


def _path(folder: Path, number: int, digest: str) -> Path:
    return folder / f"{number:06d}-{digest[:16]}.json"
