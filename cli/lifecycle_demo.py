"""`lobforge lifecycle demo`: the life of a model on a simulated market, in one command.

Here: the command and its outputs.
Not here: what it runs on and how (`pipelines.lifecycle`), the report for people (`pipelines.lifecycle_report`).
"""

import json
from typing import Annotated

import typer

from cli.options import AsJson
from pipelines.lifecycle import SEED, LifecycleDemo, run
from pipelines.lifecycle_report import show
from pipelines.progress import say


def main(
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = SEED,
    as_json: AsJson = False,
) -> int:
    """Train, challenge, shadow, split, promote, break and roll back a model on a simulated market.

    It runs offline, on a data root of its own. Returns 0, also if the challenger was not promoted, 2 if nothing could
    be run.
    """
    demo = LifecycleDemo(seed)
    report = run(demo, say)
    if as_json:
        print(json.dumps(report))
    else:
        show(report, demo.root())
    return 0
