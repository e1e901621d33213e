"""`lobforge migrate PATH`: files of the predecessor bots into current tables; the files stay as they are.

Here: the verb and its outputs.
Not here: what is migrated and how (`ml.legacy`).
"""

import argparse
from pathlib import Path
from typing import Any

import orjson

from cli.console import fail, show_table
from ml.candles.from_trades import TIMEFRAMES
from ml.core import config, settings
from ml.core.errors import LobforgeError
from ml.core.paths import DataRoot
from ml.legacy.candles import grid
from ml.legacy.migration import migrate

VENUE = "bybit-linear"
"""Where the predecessor took its data."""


def main(argv: list[str]) -> int:
    """Return 0, 1 if rows were quarantined or values do not fit their column, 2 if nothing could be migrated."""
    return _run(_parser("migrate").parse_args(argv))


def migrate_legacy_to_parquet(argv: list[str]) -> int:
    """The predecessor's script name: its files lie in the data root unless a folder is given."""
    return _run(_parser("migrate_legacy_to_parquet", optional=True).parse_args(argv))


def _run(options: argparse.Namespace) -> int:
    try:
        root = DataRoot(settings.load().data_root)
        folder = options.folder or root.root
        given = (options.candles_start, options.candles_timeframe, options.candles_symbols)
        times = (
            grid(config.load(root), options.venue, *given) if options.candles_start or options.candles_symbols else None
        )
        report = migrate(root, folder, options.venue, times, options.dry_run)
    except LobforgeError as error:
        return fail(error, options.json)
    if options.json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report)
    tables = report["tables"].values()
    return 1 if any(table["quarantined"] or table["invalid_values"] for table in tables) else 0


def _parser(verb: str, optional: bool = False) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog=f"lobforge {verb}", description=__doc__)
    found.add_argument(
        "folder",
        type=Path,
        nargs="?" if optional else None,
        metavar="PATH",
        help="the predecessor's data folder, or any part of it",
    )
    found.add_argument("--venue", default=VENUE, help="venue of the symbols, which the files do not name")
    found.add_argument("--candles-start", help="opening time (UTC) of bare candle arrays")
    found.add_argument("--candles-timeframe", default="1m", choices=list(TIMEFRAMES))
    found.add_argument("--candles-symbols", default="", help="symbols of the arrays in their order, by commas")
    found.add_argument("--dry-run", action="store_true", help="only say what would happen")
    found.add_argument("--json", action="store_true", help="print one JSON object")
    return found


def _show(report: dict[str, Any]) -> None:
    names = ("sources", "rows", "kept", "duplicates")
    rows = [
        [name, *(str(table[n]) for n in names), str(sum(table["quarantined"].values())), str(table["files_written"])]
        for name, table in report["tables"].items()
    ]
    title = "would be migrated" if report["dry_run"] else "migrated"
    show_table(title, ["table", *names, "quarantined", "files written"], rows)
    labels = report["tables"]["legacy_samples"]["labels"]
    told = [
        [h, str(n["labelled"]), str(n["compared"]), "" if n["agreement"] is None else f"{n['agreement']:.1%}"]
        for h, n in labels.items()
        if n["labelled"]
    ]
    if told:
        show_table("labels recomputed", ["horizon", "rows", "with a stored one", "agree"], told)
    for name, table in report["tables"].items():
        for entry in table["refused"]:
            reasons = ", ".join(f"{n} {reason}" for reason, n in entry["reasons"].items())
            print(f"quarantined, of {name}: {entry['source']}: {reasons} {entry['detail']}".rstrip())
        for entry in table["invalid_values"]:
            print(
                f"null in {name}: {entry['source']}: {entry['values']} values of {entry['column']} do not fit "
                f"(first {entry['first']!r} in row {entry['first_row']})"
            )
        if any(table["not_finite"].values()):
            counts = table["not_finite"]
            print(f"null in {name}: {counts['nan']} values that are NaN, {counts['infinite']} infinite ones")
        if table["unread_columns"]:
            unread = table["unread_columns"]
            print(f"not in {name}: {len(unread)} columns of the sources (first {unread[0]})")
    for entry in report["tables"]["legacy_layering"]["statistics"]:
        print(f"statistics: {entry}")
    for entry in report["left"]:
        print(f"left: {entry['files']} files ({entry['meaning']}), first {entry['first']}")
    print(f"{report['source_files']} source files, unchanged")
