"""`lobforge layering demo`: from captures with planted episodes to a registered model of cues.

Here: the command and its outputs.
Not here: what it runs on and how (`pipelines.layering`), the report for people (`pipelines.layering_report`).
"""

import json
from typing import Annotated

import typer

from cli.options import AsJson
from pipelines.layering import HOURS, NUMBER, LayeringDemo, run
from pipelines.layering_report import show
from pipelines.progress import say


def main(
    hours: Annotated[float, typer.Option(min=0.25, help="Hours of simulated market.")] = HOURS,
    number: Annotated[int, typer.Option(min=0, help="Which simulated market.")] = NUMBER,
    as_json: AsJson = False,
) -> int:
    """Go from captures with planted episodes to a registered model of cues, on a data root of its own.

    Returns 0, also if the decision is `refuse` or `insufficient`, 2 if nothing could be run.
    """
    demo = LayeringDemo(hours, number)
    report = run(demo, say)
    if as_json:
        print(json.dumps(report))
    else:
        show(report, demo.root())
    return 0
