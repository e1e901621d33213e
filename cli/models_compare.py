"""`lobforge models compare`: two versions on the same stored rows.

Here: the command and its outputs.
Not here: the rows and the test (`ml.promotion.shadow`, `ml.evaluation.ab_test`).
"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli.options import AsJson, registry_of
from ml.core import config
from ml.core.paths import DEFAULT_EXPERIMENT


def main(
    first: Annotated[str, typer.Argument(metavar="A", help="Number of a version, the one to beat.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Number of the other version.")],
    name: Annotated[
        str, typer.Option("--experiment", metavar="NAME", help="The experiment that both are of.")
    ] = DEFAULT_EXPERIMENT,
    as_json: AsJson = False,
) -> int:
    """Compare two versions on stored rows that lie after all that both were trained on.

    Returns 0, or 2 if there is no such version or no such row.
    """
    from ml.learning import experiment
    from ml.promotion import shadow

    registry = registry_of(name)
    versions = [registry.known(number) for number in (first, second)]
    models = [registry.load_model(one.model_id) for one in versions]
    plan = config.load(registry.root).lifecycle
    rows = shadow.scores(registry.root, experiment.named(registry.root, name), *models)
    found = shadow.compared(rows, plan, models[0].card.horizon)
    look = found.look
    if as_json:
        sides = [
            {"version": one.version, "model": one.model_id, "macro_accuracy": value}
            for one, value in zip(versions, (found.first, found.second), strict=True)
        ]
        compared = {"rows": found.rows, "discordance": found.discordance} | asdict(look)
        print(json.dumps({"experiment": name, "first": sides[0], "second": sides[1]} | compared))
        return 0
    for one, value in zip(versions, (found.first, found.second), strict=True):
        print(f"version {one.version}  model {one.model_id}  macro-accuracy {100 * value:.2f} %")
    print(f"gain of version {second} over version {first}: {look.detail}")
    print(f"{found.rows} rows, of which one version alone is right on {100 * found.discordance:.1f} %")
    return 0
