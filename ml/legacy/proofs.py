"""What is kept about each migrated source: its proof, and why rows and values of it are not in the table.

Here: reading a source once, writing its documents and reading them again, and what all reports say of them.
Not here: joining rows (`ml.legacy.samples`, `ml.legacy.patterns`, `ml.legacy.candles`).

Documents hold no time and no absolute path: the same sources give the same bytes, and what stands there is not touched.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ml.core.errors import SourceRefused
from ml.core.paths import DataRoot
from ml.legacy.parts import REASONS, Part, Source, opened, proof, refuse
from ml.storage.durable import write_text


def read(source: Source, venue: str, reader: Callable[[Part, str], Part]) -> Part:
    """A source's rows; one that cannot be trusted has none, and the reason."""
    part = opened(source)
    try:
        return reader(part, venue)
    except SourceRefused as error:
        return refuse(part, error.reason, error.detail, error.rows)


def keep(root: DataRoot, table: str, part: Part, code_version: str) -> dict[str, Any]:
    """Write the proof of a part, and its quarantine entry if it needs one; returns the proof."""
    document = proof(part) | {"key": part.key, "code_version": code_version}
    if part.quarantined or part.invalid:
        entry = {
            "source": part.source.name,
            "sha256": part.hashes,
            "detail": part.detail,
            "reasons": [{"reason": r, "meaning": REASONS[r], "rows": rows} for r, rows in part.quarantined.items()],
            "invalid_values": [
                {"column": name, "rows": list(values), "values": list(values.values())}
                for name, values in sorted(part.invalid.items())
            ],
        }
        write(root.quarantined(part.key), entry)
    write(root.proof(table, part.key), document)
    return document


def known(root: DataRoot, table: str, source: Source, code_version: str) -> dict[str, Any] | None:
    """The proof of a source that was read before by the same code."""
    document = load(root.proof(table, opened(source).key))
    return document if document.get("code_version") == code_version else None


def faults(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the proofs of a table's sources say of rows, values and columns that are not in it."""
    documents = list(documents)
    quarantined: dict[str, int] = {}
    for document in documents:
        for reason, n in document["quarantined"].items():
            quarantined[reason] = quarantined.get(reason, 0) + n
    return {
        "quarantined": quarantined,
        "refused": [
            {"source": d["source"], "reasons": d["quarantined"], "detail": d["detail"]}
            for d in documents
            if d["quarantined"]
        ],
        "invalid_values": [{"source": d["source"], **entry} for d in documents for entry in d["invalid_values"]],
        "not_finite": {name: sum(d["not_finite"][name] for d in documents) for name in ("nan", "infinite")},
        "unread_columns": sorted({name for d in documents for name in d["unread_columns"]}),
    }


def load(path: Path) -> dict[str, Any]:
    """A document, empty if there is none."""
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, document: dict[str, Any]) -> None:
    """Write a document, unless it stands there already."""
    text = json.dumps(document, indent=1, sort_keys=True)
    if not path.exists() or path.read_text() != text:
        write_text(path, text)


def tidy(root: DataRoot, table: str) -> None:
    """Remove half-written documents of a killed migration."""
    for folder in (root.meta / table / "proofs", root.meta / table / "days", root.quarantined("").parent):
        for leftover in folder.glob(".*.json.*"):
            leftover.unlink()
