"""`lobforge models promote`: a version takes over by hand.

Here: the command and its outputs.
Not here: how it takes effect (`ml.promotion.registry`).
"""

from typing import Annotated

import typer

from cli.console import show_champion
from cli.options import AsJson, ModelName, Version, Who, Why, registry_of, user
from ml.core.errors import RegistryError


def main(
    name: ModelName,
    version: Version,
    over: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="The champion that it replaces (`none`: there is none); today's if left out."
        ),
    ] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Promote it although no gates passed it; needs --why.")
    ] = False,
    who: Who = None,
    why: Why = "",
    as_json: AsJson = False,
) -> int:
    """Make a version champion by hand, once it has loaded and answered.

    Of several at once one wins, and the others are told who the champion is now.

    Returns 0, or 2 if nothing was changed.
    """
    registry = registry_of(name)
    if override and not why:
        raise RegistryError(f"Version {version} would be promoted without gates. Give the reason with --why.")
    seen = registry.champion()
    if over is not None:
        seen = None if over == "none" else registry.known(over).model_id
    record = registry.promote(version, seen, who or user(), why, override)
    show_champion(name, record, as_json)
    return 0
