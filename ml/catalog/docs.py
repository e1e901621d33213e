"""The page `docs/tables.md`: every table of the catalog with its columns.

Here: the text, made of nothing but the specs. `make docs` writes it, a test asserts that it is current.
Not here: the specs (`ml.catalog.tables`), how to read the tables (`docs/data.md`), features (`ml.features.docs`).
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ml.catalog.tables import TABLES
from ml.core.paths import DataRoot, Partition
from ml.tables.schemas import QUARANTINE_REASONS, NullReason
from ml.tables.spec import Column, Partitioning, TableSpec

HEAD = """# Tables

Made from the table specs by `make docs`; a test asserts that this page is current. How to read the tables, what candles
and labels mean and how time runs: [data.md](data.md).

Times are int64 nanoseconds since 1970 UTC. A unit of 1 is a pure number. Prices and sizes are int64 in units of
10^-decimals of the instrument, exact; `ml.catalog.views` shows them as prices. Columns that differ only in a number
stand in one line.
"""
ON_FEATURES_PAGE = ("features", "legacy_110", "legacy_112")
"""Tables whose columns are listed in `docs/features.md`."""
_DATES = {Partitioning.DATE: "YYYY-MM-DD", Partitioning.LEGACY: "YYYY-MM-DD", Partitioning.MONTH: "YYYY-MM"}


def markdown() -> str:
    """The page `docs/tables.md`."""
    lines = [HEAD, "| table | a row is | partitioned |", "|---|---|---|"]
    lines += [
        f"| [`{spec.name}`](#{spec.name}) | {_cell(spec.row)} | {spec.partitioning} |" for spec in TABLES.values()
    ]
    lines += ["", "## Why a value is null", "", "The first that applies, in the columns `null_reason_*`:", ""]
    lines += [f"* {reason.value}: `{reason.name.lower()}`" for reason in NullReason]
    lines += ["", "## Why a frame is quarantined", ""]
    lines += [f"* `{reason}`: {meaning}" for reason, meaning in QUARANTINE_REASONS.items()]
    for spec in TABLES.values():
        lines += ["", f"## {spec.name}", "", *_section(spec)]
    return "\n".join(lines) + "\n"


def _section(spec: TableSpec) -> Iterator[str]:
    yield f"A row is {spec.row}."
    yield ""
    yield f"* files: `{_files(spec)}`"
    if spec.clock:
        yield f"* clock: `{spec.clock}`"
    if spec.sources:
        yield "* made of: " + ", ".join(f"[`{source}`](#{source})" for source in spec.sources)
    for rule in spec.rules:
        yield f"* {'rule' if rule.blocking else 'warning'} `{rule.name}`: {rule.description}"
    if spec.is_open:
        yield "* it has further columns, which depend on what was asked for" + ("" if spec.columns else ".")
    if spec.columns:
        yield ""
        yield "| column | type | unit | what it is |"
        yield "|---|---|---|---|"
        for _, columns in groupby(spec.columns, lambda column: _alike(spec, column)):
            yield _row(spec, list(columns))


def _files(spec: TableSpec) -> str:
    """Path of the table's files, relative to the data root."""
    if spec.partitioning in _DATES:
        return str(Partition(spec.name, _DATES[spec.partitioning], "<instrument>").path)
    root = DataRoot(Path())
    return str(root.whole(spec.name)) if spec.partitioning is Partitioning.WHOLE else f"{root.table(spec.name)}/"


def _alike(spec: TableSpec, column: Column) -> tuple[str, ...]:
    """Columns that stand beside each other and have the same key share a line."""
    if column.name in spec.lineage:
        return (spec.lineage[column.name][0],)
    if spec.name in ON_FEATURES_PAGE and column.name != spec.clock and column.name not in spec.null_reasons:
        return ("features.md",)
    return (*(re.sub(r"\d+", "#", text) for text in (column.name, column.description)), column.unit, str(column.dtype))


def _row(spec: TableSpec, columns: list[Column]) -> str:
    first = columns[0]
    name = f"`{first.name}`" if len(columns) == 1 else f"`{first.name}` ... `{columns[-1].name}` ({len(columns)})"
    (origin, *_) = _alike(spec, first)
    what = first.description
    if first.name in spec.lineage:
        what = f"As in [`{origin}`](#{origin})." if len(columns) > 1 else f"{what} From [`{origin}`](#{origin})."
    elif origin == "features.md":
        what = "Listed in [features.md](features.md)."
    several = len({(column.dtype, column.unit) for column in columns}) > 1
    dtype, unit = ("", "") if several else (str(first.dtype), first.unit)
    return f"| {name} | {dtype} | {_cell(unit)} | {_cell(what)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201
