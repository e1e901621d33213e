"""`lobforge features list`: every feature set with its columns, their units, windows and formulas.

Here: the verb and its outputs, a table for people, JSON for programs, the page for the documentation.
Not here: the features (`ml.features.tick.table`), the verbs `make` and `read` (`cli.features_make`,
`cli.features_read`).
"""

import argparse

import orjson

from cli import features_make, features_read
from cli.console import show_table
from ml.features.docs import as_dicts, markdown

OTHERS = {"make": features_make.main, "read": features_read.main}


def main(argv: list[str]) -> int:
    """Return 0; of `make` and `read`, what they return."""
    if argv and argv[0] in OTHERS:
        return OTHERS[argv[0]](argv[1:])
    parser = argparse.ArgumentParser(prog="lobforge features", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="{list,make,read}")
    listing = verbs.add_parser("list", help="every set and its columns")
    shown = listing.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    shown.add_argument("--markdown", action="store_true", help="print docs/features.md")
    options = parser.parse_args(argv)
    if options.markdown:
        print(markdown(), end="")
    elif options.json:
        print(orjson.dumps({"sets": as_dicts()}, option=orjson.OPT_INDENT_2).decode())
    else:
        for one in as_dicts():
            rows = [[c["id"], c["unit"], str(c["look_back"]), c["formula"]] for c in one["columns"]]
            show_table(f"{one['name']} {one['hash']}", ["feature", "unit", "looks back s", "formula"], rows)
    return 0
