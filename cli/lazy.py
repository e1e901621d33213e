"""Groups of commands that are imported only when they are called.

Here: the group that Typer builds from a table, and the command that turns errors into return codes.
Not here: the tables (`cli.__main__`, `cli.features`), any command.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.console import fail
from ml.core.errors import LobforgeError

HELP_OPTIONS = {"help_option_names": ["--help", "-h"]}


@dataclass(frozen=True)
class Entry:
    """Where a command is, and what the list of commands says about it.

    Args:
        module: it is imported when the command is called.
        sentence: what the command does.
        panel: the heading under which it is listed; an empty one leaves it out.
        attribute: the function in the module that is the command, or a Typer application with commands of its own.
    """

    module: str
    sentence: str
    panel: str = "Commands"
    attribute: str = "main"


class Command(TyperCommand):
    """A function that returns its return code; an error of ours is printed and becomes 2.

    An option of files that is shown as `FILE...` takes every word up to the next option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat such an option before each of its words, which is how it is declared."""
        many = {
            name
            for one in self.params
            if getattr(one, "multiple", False) and str(one.metavar).endswith("...")
            for name in one.opts
        }
        repeated = list[str]()
        option = ""
        for word in args:
            if word.startswith("-"):
                option = word if word in many else ""
            elif option and repeated[-1] != option:
                repeated.append(option)
            repeated.append(word)
        return super().parse_args(ctx, repeated)

    def invoke(self, ctx: Any) -> Any:
        """Run the function and leave with its return code."""
        try:
            code = super().invoke(ctx)
        except LobforgeError as error:
            code = fail(error, bool(ctx.params.get("as_json")))
        raise typer.Exit(code)


def group(entries: dict[str, Entry], text: str, epilog: str | None = None, completion: bool = False) -> typer.Typer:
    """An application with one command per entry.

    Args:
        entries: the commands by name, in the order in which they are listed.
        text: the help of the application.
        epilog: what its help ends with.
        completion: offer to install shell completion.
    """

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            for name, entry in entries.items():
                self.add_command(
                    TyperCommand(name, help=entry.sentence, rich_help_panel=entry.panel, hidden=not entry.panel)
                )

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, command, rest = super().resolve_command(ctx, args)
            return name, None if command is None else _load(entries[str(name)], str(name)), rest

    app = typer.Typer(
        cls=Group,
        help=text,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=completion,
        context_settings=HELP_OPTIONS,
    )
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    pass


def _load(entry: Entry, name: str) -> Any:
    """The command itself."""
    found: typer.Typer | Callable[..., int] = getattr(import_module(entry.module), entry.attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False, context_settings=HELP_OPTIONS)
        app.command(name, cls=Command, help=_paragraphs(found.__doc__ or ""))(found)
        found = app
    return get_command(found)


def _paragraphs(text: str) -> str:
    """A docstring without its line breaks, which are those of the source."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
