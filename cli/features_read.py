"""`lobforge features read`: rows of the feature store, as they could be known at a time, or the newest one.

Here: the verb and its outputs: a summary, a file, or a kept dataset; with `--last` the rows of the online store.
Not here: what is read (`ml.feature_store`).
"""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from cli.console import fail
from ml.core import settings
from ml.core.errors import DatasetError, LobforgeError, SettingsError
from ml.core.paths import FEATURE_GROUP, FEATURE_GROUPS, DataRoot
from ml.feature_store.datasets import keep as keep_dataset
from ml.feature_store.latest import newest, published
from ml.feature_store.query import Query
from ml.feature_store.rows import polars

WRITERS = {".parquet": pl.DataFrame.write_parquet, ".csv": pl.DataFrame.write_csv, ".arrow": pl.DataFrame.write_ipc}


def main(argv: list[str]) -> int:
    """Return 0, 1 if a newest row is old, or 2 if nothing could be read."""
    options = _parser().parse_args(argv)
    try:
        root = DataRoot(settings.load().data_root)
        if options.last:
            _see_that_nothing_else_is_asked(options)
            reports = _newest(root, options.instrument, options.max_age)
        else:
            reports = [_read(root, _query(options), options.to, options.keep)]
    except LobforgeError as error:
        return fail(error, options.json)
    if options.json:
        print(orjson.dumps({"rows": reports} if options.last else reports[0], option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(f"{name}: {value}" for report in reports for name, value in report.items()))
    return 1 if any(report.get("old") for report in reports) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lobforge features read", description=__doc__)
    parser.add_argument("--feature-group", default=FEATURE_GROUP, help=f"one of {', '.join(FEATURE_GROUPS)}")
    parser.add_argument("--start-date", help="first UTC date (YYYY-MM-DD)")
    parser.add_argument("--end-date", help="last UTC date")
    parser.add_argument("--instrument", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--columns", default="", help="by commas; all if left out")
    parser.add_argument("--known-by", help="ISO time (UTC): no later row, and no label that was known later")
    parser.add_argument("--to", type=Path, help=f"write the rows to this file ({', '.join(WRITERS)})")
    parser.add_argument("--keep", action="store_true", help="keep the rows as a dataset and tell its id")
    parser.add_argument("--last", action="store_true", help="the newest row of each instrument that runs live")
    parser.add_argument("--max-age", type=float, default=5.0, help="seconds after which a newest row is old (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _query(options: argparse.Namespace) -> Query:
    columns = tuple(name.strip() for name in options.columns.split(",") if name.strip())
    known_by = None if options.known_by is None else _ns(options.known_by)
    dates = options.start_date, options.end_date
    return Query(options.feature_group, *dates, tuple(options.instrument), columns, known_by)


def _ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--known-by {text!r} is no time. Write it like 2025-03-03T12:00.") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000


def _see_that_nothing_else_is_asked(options: argparse.Namespace) -> None:
    """Raise for options that the newest row knows nothing of: they would do nothing, and not say so."""
    given = ("start_date", "end_date", "columns", "known_by", "to", "keep")
    if ignored := ["--" + name.replace("_", "-") for name in given if getattr(options, name)]:
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
