"""Options that several commands take, and the readers of their values."""

from datetime import date
from getpass import getuser
from os import getuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml.core import settings
from ml.core.paths import DataRoot

if TYPE_CHECKING:
    from ml.promotion.registry import Registry


def split_names(text: str) -> list[str]:
    """The names in a list that is separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def read_date(text: str) -> date:
    """A UTC date as the user writes it.

    Raises:
        BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date. Write it like 2025-03-03.") from error


def user() -> str:
    """Who runs the command, as the operating system names them."""
    try:
        return getuser()
    except (KeyError, OSError):  # a process of a user without a name
        return str(getuid())


def registry_of(name: str) -> "Registry":
    """The registered models of a name.

    Raises:
        RegistryError: there are none.
    """
    from ml.promotion.registry import registered

    return registered(DataRoot(settings.load().data_root), name)


ModelName = Annotated[str, typer.Argument(metavar="NAME", help="The experiment that the model is of.")]
ModelNameOrDefault = Annotated[
    str, typer.Argument(metavar="[NAME]", help="The experiment that the models are of; the default one if left out.")
]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Number of the version.")]
Who = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who decided; the user who runs it if left out.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the journal.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Capture files, or directories of them.")]
FirstDate = Annotated[
    date | None,
    typer.Option("--from", metavar="DATE", parser=read_date, help="First UTC date; the first one if left out."),
]
LastDate = Annotated[
    date | None, typer.Option("--to", metavar="DATE", parser=read_date, help="Last UTC date; the last one if left out.")
]
StartDate = Annotated[
    date | None,
    typer.Option(
        "--start-date", metavar="DATE", parser=read_date, help="First UTC date; the first stored if left out."
    ),
]
EndDate = Annotated[
    date | None,
    typer.Option("--end-date", metavar="DATE", parser=read_date, help="Last UTC date; the last stored if left out."),
]
Instruments = Annotated[
    list[str] | None, typer.Option("--instrument", metavar="ID", help="Only this instrument; may be repeated.")
]
