"""`lobforge ui`: the Dagster webserver and daemon.

Here: the command, which becomes the server.
Not here: the instance (`pipelines.setup`).
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ml.core import settings
from ml.core.addresses import addressable
from ml.core.paths import DataRoot
from pipelines import demo
from pipelines.progress import say
from pipelines.setup import PROJECT, initialise


def main(
    captures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Show the data root that `demo --captures FOLDER` made.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
) -> int:
    """Start the Dagster web server and daemon on the data root's instance.

    Returns 2 if the data root cannot be used; else it runs until it is stopped.
    """
    root = demo.Demo(captures).root() if captures else DataRoot(settings.load().data_root)
    initialise(root, demo.default_config())
    say(f"Dagster UI on http://127.0.0.1:{port} (data root {root.root})")
    command = [
        str(Path(sys.executable).with_name("dagster")),
        "dev",
        "-w",
        str(PROJECT / "workspace.yaml"),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    places = {"LOBFORGE_DATA_ROOT": str(root.root), "DAGSTER_HOME": str(addressable(root.dagster_home.resolve()))}
    os.execve(command[0], command, os.environ | places)  # noqa: S606 - becomes the server, so that signals reach it
