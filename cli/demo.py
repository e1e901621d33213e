"""`lobforge demo`: the whole graph, from captures to a decision and a live replay.

Here: the command and its outputs.
Not here: what it runs on and how (`pipelines.demo`), the report for people (`pipelines.report`).
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson
from pipelines import demo
from pipelines.progress import say
from pipelines.report import show


def main(
    captures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Run on the capture files of this folder instead of a simulated market."),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Information coefficient of the planted signal, 0 to 0.3.")] = demo.ALPHA,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = demo.SEED,
    hours: Annotated[float, typer.Option(help="Hours of simulated market.")] = demo.HOURS,
    as_json: AsJson = False,
) -> int:
    """Run the whole graph on a simulated market or on your captures, and show the decision.

    Returns 0, also if the decision is `refuse` or `insufficient`, 1 if frames were quarantined, 2 if nothing could be
    run.
    """
    with demo.compiling(say):
        root, keys = demo.prepare(demo.Demo(captures, alpha, seed, hours), say)
        report = demo.run(root, keys, say)
    if as_json:
        print(json.dumps(report))
    else:
        show(report, root)
    return 1 if report["live"]["quarantined"] else 0
