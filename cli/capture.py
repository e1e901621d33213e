"""`lobforge capture --venue VENUE --symbols A,B`: record what a venue sends, so that nothing is lost in silence.

Here: the command and what it prints.
Not here: the capture (`live.service`).
"""

import asyncio
import sys
from typing import Annotated, Any, Literal

import orjson
import typer

from cli.options import AsJson, split_names
from cli.progress import say
from live.service import Capture, Options
from ml.capture import plans
from ml.capture.seal import recover
from ml.core import kernel_cache, settings
from ml.core.paths import DataRoot


def main(
    venue: Annotated[str, typer.Option(help=f"One of {', '.join(plans.PLANS)}.")],
    symbols: Annotated[str, typer.Option(metavar="A,B", help="The venue's own names, separated by commas.")],
    mode: Annotated[
        Literal["ONLY_TRAINING", "FULL"], typer.Option(help="FULL also runs the promoted model and prints its signals.")
    ] = "ONLY_TRAINING",
    seconds: Annotated[float | None, typer.Option(help="Stop after so long; else on SIGTERM or SIGINT.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus metrics on 127.0.0.1.")] = None,
    stream_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Another WebSocket base address, for a gateway or an emulator.")
    ] = None,
    rest_url: Annotated[str | None, typer.Option(metavar="URL", help="Another REST base address.")] = None,
    as_json: AsJson = False,
) -> int:
    """Record what a venue sends.

    Progress goes to standard error, signals and the summary to standard output. Returns 0 after a clean stop, 1 if
    frames were lost to overflow or signals ended early, 2 if it had to give up.
    """

    def text(state: dict[str, Any]) -> str:
        return (
            orjson.dumps(state).decode() if as_json else "  ".join(f"{name} {value}" for name, value in state.items())
        )

    def report(state: dict[str, Any]) -> None:
        print(text(state), file=sys.stderr, flush=True)

    root = DataRoot(settings.load().data_root)
    for old in recover(root):
        report({"recovered": old.journal, "state": old.state, "records": old.records, "torn": old.torn})
    options = Options(venue, tuple(split_names(symbols)), seconds, metrics_port, stream_url, rest_url)
    if mode == "FULL":
        say(kernel_cache.notice())
    summary = asyncio.run(Capture(root, options, report, _emit if mode == "FULL" else None).run())
    print(text(summary), flush=True)
    return 1 if summary["overflows"] or summary["signal_failure"] else 0


def _emit(row: dict[str, Any]) -> None:
    print(orjson.dumps(row).decode(), flush=True)
