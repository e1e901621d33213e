"""`lobforge migrate PATH`: files of the predecessor bots into current tables; the files stay as they are.

Here: the command and its outputs.
Not here: what is migrated and how (`ml.legacy`).
"""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson
from ml.candles.from_trades import TIMEFRAMES
from ml.core import config, settings
from ml.core.paths import DataRoot
from ml.legacy.candles import grid
from ml.legacy.migration import migrate

VENUE = "bybit-linear"
"""Where the predecessor took its data."""


Venue = Annotated[str, typer.Option(help="Venue of the symbols, which the files do not name.")]
CandlesStart = Annotated[
    str | None, typer.Option(metavar="TIME", help="Opening time (UTC) of the first candle of bare candle arrays.")
]
CandlesTimeframe = Annotated[str, typer.Option(help=f"Their timeframe, one of {', '.join(TIMEFRAMES)}.")]
CandlesSymbols = Annotated[
    str, typer.Option(metavar="A,B", help="Symbols of the arrays in their order, separated by commas.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
FOLDER = "The predecessor's data folder, or any part of it"


def main(
    folder: Annotated[Path, typer.Argument(metavar="PATH", help=f"{FOLDER}.")],
    venue: Venue = VENUE,
    candles_start: CandlesStart = None,
    candles_timeframe: CandlesTimeframe = "1m",
    candles_symbols: CandlesSymbols = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Convert the predecessor's .npy, .json and parquet files into tables; the files stay as they are.

    Returns 0, 1 if rows were quarantined or values do not fit their column, 2 if nothing could be migrated.
    """
    root = DataRoot(settings.load().data_root)
    times = None
    if candles_start or candles_symbols:
        times = grid(config.load(root), venue, candles_start, candles_timeframe, candles_symbols)
    report = migrate(root, folder, venue, times, dry_run)
    if as_json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report)
    tables = report["tables"].values()
    return 1 if any(table["quarantined"] or table["invalid_values"] for table in tables) else 0


def migrate_legacy_to_parquet(
    folder: Annotated[Path | None, typer.Argument(metavar="PATH", help=f"{FOLDER}; the data root if left out.")] = None,
    venue: Venue = VENUE,
    candles_start: CandlesStart = None,
    candles_timeframe: CandlesTimeframe = "1m",
    candles_symbols: CandlesSymbols = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Convert the predecessor's files: `migrate`, by default of those in the data root.

    Returns 0, 1 if rows were quarantined or values do not fit their column, 2 if nothing could be migrated.
    """
    given = folder or settings.load().data_root
    return main(given, venue, candles_start, candles_timeframe, candles_symbols, dry_run, as_json)


def _show(report: dict[str, Any]) -> None:
    names = ("sources", "rows", "kept", "duplicates")
    rows = [
        [name, *(str(table[n]) for n in names), str(sum(table["quarantined"].values())), str(table["files_written"])]
        for name, table in report["tables"].items()
    ]
    title = "would be migrated" if report["dry_run"] else "migrated"
    show_table(title, ["table", *names, "quarantined", "files written"], rows)
    labels = report["tables"]["legacy_samples"]["labels"]
    recomputed = [
        [h, str(n["labelled"]), str(n["compared"]), "" if n["agreement"] is None else f"{n['agreement']:.1%}"]
        for h, n in labels.items()
        if n["labelled"]
    ]
    if recomputed:
        show_table("labels recomputed", ["horizon", "rows", "with a stored one", "agree"], recomputed)
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
