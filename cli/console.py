"""What commands print: tables for people, errors for both.

Here: the few functions that every command shares.
Not here: what is in the tables.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ml.core.errors import LobforgeError

if TYPE_CHECKING:
    from ml.storage.backup import Summary

UNBOUND = 1000
"""Columns given to a table that goes into a file or a pipe."""


def fail(error: LobforgeError, as_json: bool) -> int:
    """Print an error and return 2: nothing could be done."""
    if as_json:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
    else:
        print(f"error: {error}", file=sys.stderr)
    return 2


def show_copy(summary: "Summary", as_json: bool) -> None:
    """Print what a backup or a restore copied, and what is not well."""
    if as_json:
        print(json.dumps(asdict(summary)))
        return
    print(f"{summary.files} files, {summary.bytes / 1e6:.1f} MB in {summary.folder}")
    for line in summary.left_out:
        print(f"left out: {line}")
    for fault in summary.faults:
        print(f"{fault.kind}: {fault.path}: {fault.detail}\n      fix: {fault.fix}")


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is left-aligned, the others are numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else "right")
    for row in rows:
        table.add_row(*row)
    # what is no terminal has no width: a cell that is cut there is lost to the next program
    # and brackets in a name are no markup
    width = None if sys.stdout.isatty() else UNBOUND
    Console(width=width, markup=False, emoji=False).print(table)


def show_champion(name: str, record: dict[str, Any], as_json: bool) -> None:
    """Print who is champion of a name after a decision, by its record."""
    version, model = record["mlflow_version"], record["candidate"]
    if as_json:
        changed = {"model": name, "version": version, "champion": model, "champion_before": record["champion_before"]}
        print(json.dumps(changed | {"record": record["hash"]}))
    else:
        print(f"{name}: version {version} (model {model}) is champion, record {record['hash'][:16]}")
