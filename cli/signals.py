"""`lobforge signals`: what the promoted models predict for every captured instrument, at each step.

Here: the command.
Not here: the service (`live.signal_server`).
"""

import os
from typing import Annotated, Literal

import typer

from ml.core import config, settings
from ml.core.paths import DataRoot


def main(
    experiments: Annotated[
        list[str] | None,
        typer.Option("--experiment", metavar="NAME", help="Only this experiment; may be repeated."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            envvar="LOBFORGE_SIGNALS_URL",
            help="SQLAlchemy's URL of the database; SQLite in the data root if left out.",
        ),
    ] = None,
    form: Annotated[
        Literal["none", "json", "hummingbot"],
        typer.Option("--lines", help="Print each signal as a line of JSON, or as Hummingbot's ML_SIGNALS."),
    ] = "none",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve a stream of signals on this port of 127.0.0.1.")
    ] = None,
    max_age: Annotated[
        float, typer.Option(min=0.1, help="Seconds after a step at which a signal without a row is withheld.")
    ] = 5.0,
    seconds: Annotated[float | None, typer.Option(help="Stop after so long; else on SIGTERM or SIGINT.")] = None,
) -> int:
    """Say at each step what the promoted models predict for every captured instrument.

    The instruments are those that `lobforge capture --mode FULL` records. Signals are stored in a database and, if
    wanted, printed or streamed. Promotions and rollbacks are followed. The summary goes to standard error. Returns 0, 1
    if signals could not be stored, 2 if nothing could be done.
    """
    from live.signal_server import Options, run
    from live.signal_table import default_url
    from live.signals import Signal, hummingbot
    from live.sinks import Lines

    def as_is(signal: Signal) -> object:
        return signal

    root = DataRoot(settings.load().data_root)
    config.load(root)
    lines = None if form == "none" else Lines(_print, as_is if form == "json" else hummingbot)
    if port is not None:
        typer.echo(f"http://127.0.0.1:{port}/api/ml/signals/stream (process {os.getpid()})", err=True)
    summary = run(root, Options(tuple(experiments or ()), url or default_url(root), lines, port, max_age, seconds))
    typer.echo("  ".join(f"{name} {value}" for name, value in summary.items()), err=True)
    return 1 if summary["waiting"] or summary["dropped"] else 0


def _print(line: str) -> None:
    print(line, flush=True)
