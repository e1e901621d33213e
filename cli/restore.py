"""`lobforge restore SRC`: a backup into an empty data root, verified.

Here: the verb and its outputs.
Not here: what is copied and how (`ml.storage.backup`).
"""

import argparse
from pathlib import Path

from cli.console import fail, show_copy
from ml.core import settings
from ml.core.errors import LobforgeError
from ml.core.paths import DataRoot
from ml.storage import backup


def main(argv: list[str]) -> int:
    """Return 0, 1 if the backup was made of a data root with faults, 2 if nothing was restored."""
    parser = argparse.ArgumentParser(prog="lobforge restore", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="SRC", help="a folder that `lobforge backup` made")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    try:
        summary = backup.restore(options.folder, DataRoot(settings.load().data_root))
    except LobforgeError as error:
        return fail(error, options.json)
    show_copy(summary, options.json)
    return 1 if summary.faults else 0
