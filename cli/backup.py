"""`lobforge backup DEST`: a copy of the data root that can be restored; writers may go on.

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
    """Return 0, 1 if damaged files were left out, 2 if no backup was made."""
    parser = argparse.ArgumentParser(prog="lobforge backup", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DEST", help="an empty folder, or one to be created")
    parser.add_argument("--captures", action="store_true", help="also the capture files and journals in the data root")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    try:
        summary = backup.backup(DataRoot(settings.load().data_root), options.folder, options.captures)
    except LobforgeError as error:
        return fail(error, options.json)
    show_copy(summary, options.json)
    return 1 if summary.left_out else 0
