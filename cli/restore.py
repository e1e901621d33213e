"""`lobforge restore SRC`: a backup into an empty data root, verified.

Here: the command and its outputs.
Not here: what is copied and how (`ml.storage.backup`).
"""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import show_copy
from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot
from ml.storage import backup


def main(
    folder: Annotated[Path, typer.Argument(metavar="SRC", help="A folder that `lobforge backup` made.")],
    as_json: AsJson = False,
) -> int:
    """Copy a backup into an empty data root and verify it.

    Returns 0, 1 if the backup was made of a data root with faults, 2 if nothing was restored.
    """
    summary = backup.restore(folder, DataRoot(settings.load().data_root))
    show_copy(summary, as_json)
    return 1 if summary.faults else 0
