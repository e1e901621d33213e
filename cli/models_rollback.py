"""`lobforge models rollback`: an earlier version takes over.

Here: the command and its outputs.
Not here: how it takes effect (`ml.promotion.registry`).
"""

from typing import Annotated

import typer

from cli.console import show_champion
from cli.options import AsJson, ModelName, Who, Why, registry_of, user


def main(
    name: ModelName,
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Which version; the champion before this one if left out.")
    ] = None,
    who: Who = None,
    why: Why = "",
    as_json: AsJson = False,
) -> int:
    """Make an earlier version champion again, once it has loaded and answered.

    Returns 0, or 2 if nothing was changed: the version is unknown, retired, damaged or champion already.
    """
    show_champion(name, registry_of(name).rollback(to, who or user(), why), as_json)
    return 0
