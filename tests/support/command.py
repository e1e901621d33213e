"""The `lobforge` command in this process, as a user types it."""

from typing import cast

from cli.__main__ import main


def lobforge(*arguments: object) -> int:
    """Run `lobforge ARGUMENT...`; returns the return code."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return cast("int", stopped.code)
