"""`lobforge features read`: rows of the feature store, as they could be known at a time, or the newest one.

Here: the command and its outputs: a summary, a file, or a kept dataset; with `--last` the rows of the online store.
Not here: what is read (`ml.feature_store`).
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import polars as pl
import typer

from cli.options import AsJson, EndDate, Instruments, StartDate, split_names
from ml.core import settings
from ml.core.errors import DatasetError, SettingsError
from ml.core.paths import FEATURE_GROUP, FEATURE_GROUPS, DataRoot
from ml.feature_store.datasets import keep as keep_dataset
from ml.feature_store.latest import newest, published
from ml.feature_store.query import Query
from ml.feature_store.rows import polars

WRITERS = {".parquet": pl.DataFrame.write_parquet, ".csv": pl.DataFrame.write_csv, ".arrow": pl.DataFrame.write_ipc}


def main(
    feature_group: Annotated[
        str, typer.Option(metavar="GROUP", help=f"One of {', '.join(FEATURE_GROUPS)}.")
    ] = FEATURE_GROUP,
    start_date: StartDate = None,
    end_date: EndDate = None,
    instrument: Instruments = None,
    columns: Annotated[str, typer.Option(metavar="A,B", help="Separated by commas; all if left out.")] = "",
    known_by: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="ISO time (UTC): no later row, and no label that was known later."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Write the rows to this file ({', '.join(WRITERS)}).")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the rows as a dataset and print its id.")] = False,
    last: Annotated[
        bool, typer.Option("--last", help="The newest row of each instrument that runs live, instead of stored rows.")
    ] = False,
    max_age: Annotated[float, typer.Option(help="Seconds after which a newest row is old.")] = 5.0,
    as_json: AsJson = False,
) -> int:
    """Read rows of the feature store as they were known at a time, or the newest.

    Returns 0, 1 if a newest row is old, 2 if nothing could be read.
    """
    root = DataRoot(settings.load().data_root)
    if last:
        _refuse_with_last(
            start_date=start_date, end_date=end_date, columns=columns, known_by=known_by, to=to, keep=keep
        )
        reports = _newest(root, instrument or [], max_age)
    else:
        first, final = (None if day is None else day.isoformat() for day in (start_date, end_date))
        until = None if known_by is None else _ns(known_by)
        query = Query(feature_group, first, final, tuple(instrument or ()), tuple(split_names(columns)), until)
        reports = [_read(root, query, to, keep)]
    if as_json:
        print(orjson.dumps({"rows": reports} if last else reports[0], option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(f"{name}: {value}" for report in reports for name, value in report.items()))
    return 1 if any(report.get("old") for report in reports) else 0


def _ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--known-by {text!r} is no time. Write it like 2025-03-03T12:00.") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000


def _refuse_with_last(**given: Any) -> None:
    """Raise for options that the newest row knows nothing of: they would do nothing, and not say so."""
    if ignored := ["--" + name.replace("_", "-") for name, value in given.items() if value]:
        raise SettingsError(f"--last does not go with {', '.join(ignored)}. It takes --instrument, --max-age, --json.")


def _newest(root: DataRoot, instruments: list[str], max_age: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for instrument in instruments or published(root):
        row = newest(root, instrument)
        age = row.age() / 1e9
        found.append(asdict(row) | {"age_s": round(age, 3), "old": age > max_age})
    if not found:
        raise DatasetError("No instrument has a newest row. Run `lobforge capture --mode FULL`.")
    return found


def _read(root: DataRoot, query: Query, to: Path | None, keep: bool) -> dict[str, Any]:
    rows = polars(root, query)
    report: dict[str, Any] = {
        "feature_group": query.group,
        "rows": rows.height,
        "columns": rows.width,
        "first_ts": rows["ts"].min(),
        "last_ts": rows["ts"].max(),
        "nulls": {name: n for name, n in rows.null_count().row(0, named=True).items() if n},
    }
    if to is not None:
        if to.suffix not in WRITERS:
            raise SettingsError(f"--to {to} is of no known format. Choose of {', '.join(WRITERS)}.")
        WRITERS[to.suffix](rows, to)
        report["file"] = str(to)
    return report | ({"dataset": keep_dataset(root, query)} if keep else {})
