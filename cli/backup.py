"""`lobforge backup DEST`: a copy of the data root that can be restored; writers may go on.

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
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="An empty folder, or one to be created.")],
    captures: Annotated[
        bool, typer.Option("--captures", help="Also copy the capture files and journals in the data root.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Copy the data root while writers run.

    Returns 0, 1 if damaged files were left out, 2 if no backup was made.
    """
    summary = backup.backup(DataRoot(settings.load().data_root), folder, captures)
    show_copy(summary, as_json)
    return 1 if summary.left_out else 0
