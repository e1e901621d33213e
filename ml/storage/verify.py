"""Verification of stored files against their manifests, and of decisions against their hash chain.

This module changes nothing. Add a kind of fault here together with its fix. Repairs after a kill belong to
`ml.storage.repair`, checks of databases and configuration to the doctor.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ml.core.errors import LobforgeError, StoreError
from ml.core.paths import DataRoot
from ml.storage import commit, decisions
from ml.storage.parquet import content_of

RESTORE = "materialize the partition again, or restore it from a backup"


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was stored.

    `kind` is missing, changed (other bytes than listed), damaged (listed bytes that cannot be read), mislisted (rows,
    columns or times other than listed), unlisted or decision.
    """

    kind: str
    path: str
    detail: str
    fix: str


@dataclass
class Report:
    """What was checked and what was found; `files` and `bytes` by table."""

    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    decisions: int = 0
    faults: list[Fault] = field(default_factory=list)


def tables(root: DataRoot) -> list[str]:
    """Names of all tables that have a manifest."""
    return sorted(path.parent.name for path in root.meta.glob("*/manifest.jsonl"))


def verify(root: DataRoot, known: Iterable[str] = ()) -> Report:
    """Read every published file and every decision; a writer may run beside it.

    Args:
        root: the data root.
        known: tables whose folders may hold no unlisted file, besides those that have a manifest.

    Raises:
        StoreError: there is no such data root, or a writer held a suspect table for ten minutes.
    """
    if not root.root.is_dir():
        raise StoreError(f"{root.root} is not a directory. Point LOBFORGE_DATA_ROOT at the data root.")
    report = Report()
    for table in tables(root):
        entries = commit.manifest(root, table).values()
        report.files[table] = len(entries)
        report.bytes[table] = sum(entry.bytes for entry in entries)
        suspects = [entry.path for entry in entries if _fault(root, entry) is not None]
        if suspects:  # replaced meanwhile, or at fault: only without its writer can that be told
            with commit.writer(root, table):
                entries = commit.manifest(root, table)
                report.faults += [fault for path in suspects if (fault := _fault(root, entries[path]))]
    report.faults += _unlisted(root, {*tables(root), *known})
    report.decisions = sum(_decisions(root, name, report.faults) for name in decisions.names(root))
    return report


def _fault(root: DataRoot, entry: commit.Entry) -> Fault | None:
    path = root.root / entry.path
    if not path.exists():
        return Fault("missing", entry.path, "it is listed but missing", RESTORE)
    if commit.sha256_file(path) != entry.sha256:
        return Fault("changed", entry.path, f"its sha256 is not {entry.sha256[:16]}... as listed", RESTORE)
    try:
        found = commit.entry_of(root, path, path, content_of(path), entry.code_version)
    except StoreError as error:
        return Fault("damaged", entry.path, str(error.__cause__), RESTORE)
    wrong = [name for name, value in vars(entry).items() if value != getattr(found, name)]
    if wrong:
        differences = ", ".join(f"{name} {getattr(found, name)} instead of {getattr(entry, name)}" for name in wrong)
        return Fault("mislisted", entry.path, f"it has {differences}", RESTORE)
    return None


def _unlisted(root: DataRoot, folders: set[str]) -> Iterator[Fault]:
    suspects = set(_strays(root, folders))
    if suspects:
        # a file between its rename and its manifest line looks unlisted: wait for the writers
        for table in folders:
            with commit.writer(root, table):
                pass
        for path in sorted(suspects & set(_strays(root, folders))):
            yield Fault("unlisted", path, "it is in the folder of a table but in no manifest", "lobforge init lists it")


def _strays(root: DataRoot, folders: set[str]) -> Iterator[str]:
    for table in folders:
        if root.table(table) == root.captures:
            continue  # other collectors may write there
        entries = commit.manifest(root, table)
        found = (path.relative_to(root.root).as_posix() for path in root.table(table).rglob("*.parquet"))
        yield from (path for path in found if path not in entries)


def _decisions(root: DataRoot, name: str, faults: list[Fault]) -> int:
    """Check the chain of an experiment and return its length, 0 if it is broken."""
    folder = root.decisions_of(name)
    try:
        length = decisions.verify(root, name)
    except LobforgeError as error:
        place = folder.relative_to(root.root).as_posix()
        faults.append(Fault("decision", place, str(error), "restore the decisions folder from a backup"))
        return 0
    for path in sorted(folder.glob("*-*.json")):
        if path.name.partition("-")[0] > f"{length:06d}":
            detail = "it has no line in the journal: it never took effect, or the line was lost"
            fix = "restore the journal from a backup, or decide again"
            faults.append(Fault("decision", path.relative_to(root.root).as_posix(), detail, fix))
    return length
