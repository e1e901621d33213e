"""`lobforge mcp SERVER`: an MCP server on standard input and output, for assistants and agents.

Here: the command.
Not here: the servers and their tools (`live.mcp`).
"""

from enum import StrEnum
from typing import Annotated

import typer

from ml.core import settings
from ml.core.errors import SettingsError
from ml.core.paths import DataRoot


class Server(StrEnum):
    """The servers by name."""

    DATA = "ml-data"
    SIGNALS = "signal-monitor"
    MODELS = "model-updater"


def main(
    server: Annotated[Server, typer.Argument(metavar="SERVER", help="ml-data, signal-monitor or model-updater.")],
    write: Annotated[
        bool, typer.Option("--write", help="model-updater may ask for a promotion, which gates and policy decide.")
    ] = False,
) -> int:
    """Serve the data root to an MCP client over standard input and output, until the client leaves."""
    from live import mcp

    root = DataRoot(settings.load().data_root)
    if server is Server.MODELS:
        mcp.model_updater(root, write=write).run()
        return 0
    if write:
        raise SettingsError(f"{server} only reads. Leave --write out.")
    (mcp.ml_data if server is Server.DATA else mcp.signal_monitor)(root).run()
    return 0
