"""`lobforge inspect FILE...`: replay captures without storing anything, and show what is in them.

Here: the command and its two outputs, a table for people and JSON for programs.
Not here: the replay itself (`ml.market.days.replay`).
"""

import orjson

from cli.console import show_table
from cli.options import AsJson, Files
from cli.progress import Progress, say
from ml.core import kernel_cache
from ml.market.files import captures


def main(files: Files, as_json: AsJson = False) -> int:
    """Replay capture files without storing anything, and show what is in them.

    Returns 0, 1 if something was quarantined or a book was lost, 2 if nothing could be read. An empty side of a book is
    a gap, and no loss.
    """
    from ml.market.days.replay import inspect  # compiled code is loaded only when there is work for it

    say(kernel_cache.notice())
    with Progress() as progress:
        report = inspect(captures.expand(files), progress)
    if as_json:
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
