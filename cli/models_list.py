"""`lobforge models list`: what is registered, and which kinds of models there are.

Here: the command and its outputs.
Not here: the registry (`ml.promotion.registry`), the catalog (`ml.learning.models.catalog`).
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import show_table
from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot
from ml.core.time import text_of

if TYPE_CHECKING:
    from ml.promotion.registry import Version


def main(
    catalog: Annotated[
        bool,
        typer.Option("--catalog", help="List the kinds of models that an experiment may name, with their options."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List the registered models of each experiment, or the kinds of models there are."""
    if catalog:
        return _catalog(as_json)
    from ml.promotion.registry import Registry

    default = Registry(DataRoot(settings.load().data_root))
    found = {name: default.of(name).versions() for name in default.names()}
    if as_json:
        print(json.dumps({"models": {name: [asdict(one) for one in versions] for name, versions in found.items()}}))
        return 0
    for name, versions in found.items():
        rows = [[one.version, one.model_id, text_of(one.registered_at), _state(one)] for one in versions]
        show_table(name, ["version", "model", "registered", "is"], rows)
    return 0


def _state(one: "Version") -> str:
    return "retired" if one.retired else ", ".join(one.aliases)


def _catalog(as_json: bool) -> int:
    from ml.learning.models.catalog import as_dicts

    if as_json:
        print(json.dumps({"catalog": as_dicts()}))
        return 0
    for one in as_dicts():
        rows = [[option["name"], option["type"], option["description"]] for option in one["options"]]
        show_table(f"{one['name']}: {one['description']}", ["option", "type", "meaning"], rows)
    return 0
