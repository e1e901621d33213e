"""`lobforge layering review`: the page on which people review cues.

Here: the command.
Not here: the application (`live.server`, `live.review`, `live.collector`).
"""

import os
from typing import Annotated

import typer

from ml.core import settings
from ml.core.paths import DataRoot
from ml.storage import keys

PORT = 8011


def review(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = PORT,
) -> int:
    """Serve the page on which people review cues, and the label API.

    It listens on the loopback interface until it is stopped. A vote needs an API key, whose name is the reviewer:
    `lobforge key create NAME` makes one. Returns 2 if the port is taken.
    """
    from live import collector
    from live import review as reviewing
    from live.server import build_app, serve

    root = DataRoot(settings.load().data_root)
    routers = (reviewing.pages_router, reviewing.router, collector.router)
    print(f"http://127.0.0.1:{port} (process {os.getpid()}; Ctrl-C stops it)", flush=True)
    if not keys.listing(root):
        print("no API key yet, so nobody can vote: lobforge key create NAME", flush=True)
    serve(lambda: build_app(root, "lobforge layering review", routers), port)
    return 0
