"""`lobforge models history`: every decision on an experiment's model, and who was champion at a time.

Here: the command and its outputs.
Not here: the journal (`ml.storage.decisions`).
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import show_table
from cli.options import AsJson, ModelName, registry_of
from ml.core.time import ns_of, text_of
from ml.storage import decisions

if TYPE_CHECKING:
    from ml.promotion.registry import Registry


def main(
    name: ModelName,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Show only who was champion at this time, in UTC.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show every decision on a model, or which version was champion at a time.

    Returns 0, or 2 if the name is unknown or a record was changed.
    """
    registry = registry_of(name)
    if at is not None:
        return _at(registry, at, as_json)
    changes = registry.history()
    if as_json:
        print(json.dumps({"model": name, "history": [asdict(change) for change in changes]}))
        return 0
    rows = [
        [text_of(c.at), c.decision, c.version or "-", c.champion_before or "none", c.champion or "none", c.who, c.why]
        for c in changes
    ]
    show_table(name, ["time, UTC", "decision", "version", "champion before", "champion after", "by", "why"], rows)
    return 0


def _at(registry: "Registry", at: str, as_json: bool) -> int:
    ts = ns_of(at)
    champion = decisions.champion_at(registry.root, ts, registry.name)
    version = next((one.version for one in registry.versions() if one.model_id == champion), None)
    if as_json:
        print(json.dumps({"model": registry.name, "at": ts, "champion": champion, "version": version}))
    else:
        print(f"{text_of(ts)}  {f'version {version}, model {champion}' if champion else 'no champion'}")
    return 0
