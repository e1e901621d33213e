"""`lobforge inspect FILE...`: replay captures without storing anything, and say what is in them.

Here: the verb and its two outputs, a table for people and JSON for programs.
Not here: the replay itself (`ml.market.days.replay`).
"""

import argparse
from pathlib import Path

import orjson

from cli.console import fail, show_table
from cli.progress import Progress, say
from ml.core import kernel_cache
from ml.core.errors import LobforgeError
from ml.market.files import captures


def main(argv: list[str]) -> int:
    """Return 0, 1 if something was quarantined or a book was lost, 2 if nothing could be read.

    A side of a book that was empty is a gap, and no loss.
    """
    parser = argparse.ArgumentParser(prog="lobforge inspect", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="capture files, or directories of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    from ml.market.days.replay import inspect  # compiled code is loaded only when there is work for it

    say(kernel_cache.notice())
    try:
        paths = [path for given in options.files for path in (captures.find(given) if given.is_dir() else [given])]
        with Progress() as progress:
            report = inspect(paths, progress)
    except LobforgeError as error:
        return fail(error, options.json)
    if options.json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        columns = ("book_messages", "level_updates", "trades", "best_bid", "best_ask", "bid_levels", "ask_levels")
        rows = [
            [name, *(_cell(i[c]) for c in columns), str(len(i["gaps"])), " ".join(i["streams"])]
            for name, i in report["instruments"].items()
        ]
        show_table("captures", ["instrument", *columns, "gaps", "streams"], rows)
        for name, frames in report["not_read"].items():
            print(f"not read: {frames} x {name}")
        for entry in report["quarantined"]:
            print(f"quarantined: {entry['file']} at byte {entry['offset']}: {entry['reason']} ({entry['detail']})")
    lost = [gap for found in report["instruments"].values() for gap in found["gaps"] if gap["reason"] != "one_sided"]
    return 1 if report["quarantined"] or lost else 0


def _cell(value: object) -> str:
    """A number, or a dash where there is none, such as the best bid of an instrument without a book."""
    return "-" if value is None else str(value)
