"""`lobforge serve`: the promoted models over HTTP.

Here: the command.
Not here: the application (`live.model_server`).
"""

import os
from typing import Annotated

import typer

from ml.core import config, settings
from ml.core.paths import DataRoot
from ml.storage import keys

PORT = 8001


def main(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = PORT,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
    max_age: Annotated[
        float,
        typer.Option(min=0.1, help="Seconds that an instrument's newest row may be old."),
    ] = 5.0,
    rate: Annotated[
        float, typer.Option(min=1, help="Requests a second that each worker answers; more get 429.")
    ] = 5_000.0,
) -> int:
    """Answer predictions of the promoted models over HTTP, on the loopback interface, until it is stopped.

    A promotion or a rollback is followed while it runs. Predicting needs no API key; changing something does:
    `lobforge key create NAME` makes one. Returns 2 if the port is taken.
    """
    from live.model_server import Options, run

    root = DataRoot(settings.load().data_root)
    config.load(root)
    print(f"http://127.0.0.1:{port} (process {os.getpid()}; Ctrl-C stops it)", flush=True)
    if not keys.listing(root):
        print("no API key yet, so nobody can reload models or start a trial: lobforge key create NAME", flush=True)
    run(root, port, workers, Options(max_age, rate))
    return 0
