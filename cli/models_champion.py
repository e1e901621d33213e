"""`lobforge models champion`: who is champion, or was at a time.

Here: the command and its outputs.
Not here: the journal (`ml.storage.decisions`).
"""

import json
from time import time_ns
from typing import Annotated

import typer

from cli.options import AsJson, ModelNameOrDefault, registry_of
from ml.core.paths import DEFAULT_EXPERIMENT
from ml.core.time import ns_of, text_of
from ml.storage import decisions


def main(
    name: ModelNameOrDefault = DEFAULT_EXPERIMENT,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="At this time, in UTC; now if left out.")] = None,
    as_json: AsJson = False,
) -> int:
    """Show which version is champion, or was at a time, and since when.

    Returns 0, also if there was none, or 2 if the name is unknown or the journal was changed.
    """
    registry = registry_of(name)
    ts = time_ns() if at is None else ns_of(at)
    line = decisions.line_at(registry.root, ts, registry.name)
    champion = line.champion if line else None
    version = next((one.version for one in registry.versions() if one.model_id == champion), None)
    since = decisions.champion_since(registry.root, ts, registry.name)
    if as_json:
        document = {"model": registry.name, "at": ts, "champion": champion, "version": version, "since": since}
        print(json.dumps(document | {"decision": line.number if line else None}))
    elif champion is None or since is None:
        print(f"{text_of(ts)}  no champion")
    else:
        print(f"{text_of(ts)}  version {version}, model {champion}, since {text_of(since)}")
    return 0
