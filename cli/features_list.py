"""`lobforge features list`: every feature set with its columns, their units, windows and formulas.

Here: the command and its outputs, a table for people, JSON for programs, the page for the documentation.
Not here: the features (`ml.features.tick.table`).
"""

from typing import Annotated

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson
from ml.features.docs import as_dicts, markdown


def main(
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/features.md.")] = False,
) -> int:
    """List every feature set with the unit, window and formula of each column."""
    if as_json and as_markdown:
        raise typer.BadParameter("--markdown does not go with --json. Give one of them.")
    if as_markdown:
        print(markdown(), end="")
    elif as_json:
        print(orjson.dumps({"sets": as_dicts()}, option=orjson.OPT_INDENT_2).decode())
    else:
        for one in as_dicts():
            rows = [[c["id"], c["unit"], str(c["look_back"]), c["formula"]] for c in one["columns"]]
            show_table(f"{one['name']} {one['hash']}", ["feature", "unit", "looks back s", "formula"], rows)
    return 0
