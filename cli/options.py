"""Options that several commands take, and the readers of their values."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer


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
