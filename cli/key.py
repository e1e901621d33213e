"""`lobforge key`: API keys of those who may change something over HTTP.

Here: create, list, revoke.
Not here: the file of hashes (`ml.storage.keys`), the check of a request (`live.server`).
"""

from typing import Annotated

import orjson
import typer

from cli.lazy import Entry, group
from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot
from ml.storage import keys

COMMANDS = {
    "create": Entry("cli.key", "Make an API key and print it once; only its hash is stored.", attribute="create"),
    "list": Entry("cli.key", "List the names of the API keys.", attribute="listing"),
    "revoke": Entry("cli.key", "Make an API key invalid at once.", attribute="revoke"),
}
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the person or program that uses it; votes carry it.")]


def create(name: Name, as_json: AsJson = False) -> int:
    """Make an API key and print it once; only its hash is stored.

    Who sends it may vote, ask for training and start trials of models, under this name.
    """
    key = keys.create(_root(), name)
    print(orjson.dumps({"name": name, "key": key}).decode() if as_json else key)
    return 0


def listing(as_json: AsJson = False) -> int:
    """List the names of the API keys.

    Beside each stands when it was made.
    """
    known = keys.listing(_root())
    if as_json:
        print(orjson.dumps([{"name": one.name, "created": one.created} for one in known]).decode())
        return 0
    for one in known:
        print(f"{one.created}  {one.name}")
    if not known:
        print("no keys; make one with `lobforge key create NAME`")
    return 0


def revoke(name: Name, as_json: AsJson = False) -> int:
    """Make an API key invalid at once.

    This holds for servers that run, too. Its votes stay.
    """
    keys.revoke(_root(), name)
    print(orjson.dumps({"revoked": name}).decode() if as_json else f"{name}: revoked")
    return 0


def _root() -> DataRoot:
    return DataRoot(settings.load().data_root)


app = group(COMMANDS, "Make, list and revoke API keys of those who may vote or train over HTTP.")
