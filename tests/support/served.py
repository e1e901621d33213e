"""An application of ours, served by uvicorn in a thread, and requests to it."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep
from typing import Any, NamedTuple

import uvicorn

from live import collector, review
from live.server import build_app
from ml.core.paths import DataRoot


class Answer(NamedTuple):
    """Status, headers (lower case) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Requests to a served application; one connection each, so threads may share it."""

    def __init__(self, port: int, key: str | None = None) -> None:
        self.port = port
        self.key = key

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; a body that is no text or bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            given.setdefault("X-API-Key", self.key)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            given.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST."""
        return self.ask("POST", path, body, **headers)


def review_app(root: DataRoot) -> Any:
    """The application of `lobforge layering review`."""
    return build_app(root, "review", (review.pages_router, review.router, collector.router))


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """The port on which the application is served until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    deadline = monotonic() + 30
    while not server.started:
        assert monotonic() < deadline, "the server did not start"
        sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True  # it ends by itself within a few tenths of a second; nobody has to wait for that


KILLABLE = """
import os, sys
from pathlib import Path
from ml.core.paths import DataRoot
from live.server import serve
from tests.support.served import review_app
root, port = DataRoot(Path(sys.argv[1])), int(sys.argv[2])
while sys.stdin.readline():
    child = os.fork()
    if child == 0:
        serve(lambda: review_app(root), port)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
"""
"""A program that imports everything once; each line on its stdin starts a server, whose process id it prints."""
