"""The HTTP application that every server of lobforge is built on: one check of API keys, one form of errors.

Here: the application without routes, the key check, running it on the loopback interface.
Add here: what holds for every route. Routes belong to their own modules (`live.review`, `live.collector`,
`live.model_server`).

Whoever reads needs no key, since a server listens on the loopback interface alone. Whatever changes something needs
one, there too: a page that a browser has open can reach the loopback interface.
"""

import socket
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ml.core.errors import LobforgeError, SettingsError
from ml.core.paths import DataRoot
from ml.storage import keys

HOSTS = ("127.0.0.1", "localhost")
"""Names under which a request may reach the server; another one is a name that somebody pointed here."""
MOST_BYTES = 16 << 20
"""Of a body; a router takes it as `max_body_size`, so that the key check comes first."""
READS = ("GET", "HEAD", "OPTIONS")
PROBLEM_JSON = "application/problem+json"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Problem(BaseModel):
    """What every error answers, by RFC 9457: its kind as a URN, and in `detail` what happened and what to do."""

    type: str
    title: str
    status: int
    detail: str


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with some errors; those of the key check are among them."""
    # not as `model`: of a route that answers HTML, FastAPI would describe its errors as HTML too
    content = {PROBLEM_JSON: {"schema": Problem.model_json_schema()}}
    return {
        code: {"description": HTTPStatus(code).phrase, "content": content} for code in (400, 401, 403, 422, 503, *codes)
    }


class NotFound(Exception):
    """There is no such thing; the text says what and what to do."""


class KeyCheck:
    """Refuses what has no valid key before its body is read, and notes whose key it was.

    A key comes as `X-API-Key: KEY` or `Authorization: Bearer KEY`. `request.state.caller` is the name of the key, None
    for a read without one.
    """

    def __init__(self, app: App, root: DataRoot) -> None:
        self.app = app
        self.root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request; anything but HTTP has no body and passes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = check_key(self.root, scope, is_read=scope["method"] in READS)
        await (refused or self.app)(scope, receive, send)


def check_key(root: DataRoot, scope: Scope, *, is_read: bool) -> JSONResponse | None:
    """The refusal of a request, None if it may pass; a read may pass without a key, but not with a wrong one."""
    try:
        known = keys.listing(root)
    except LobforgeError as error:  # nobody gets in while nobody can be checked
        return problem(503, type(error).__name__, str(error))
    given = _given(scope)
    caller = keys.owner(known, given) if given is not None else None
    if caller is None and (given is not None or not is_read):
        return _refusal(has_keys=bool(known))
    scope.setdefault("state", {})["caller"] = caller
    return None


def problem(code: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to what went wrong."""
    content = Problem(type=f"urn:lobforge:{kind}", title=HTTPStatus(code).phrase, status=code, detail=detail)
    return JSONResponse(content.model_dump(), code, headers, PROBLEM_JSON)


def build_app(root: DataRoot, title: str, routers: Iterable[APIRouter], lifespan: Lifespan | None = None) -> FastAPI:
    """An application over a data root, see the module; `request.app.state.root` is the data root.

    It has no documentation pages, which would load scripts from elsewhere; `/openapi.json` describes it.
    """
    silent = TelemetryConfig(tracing=False, metrics=False, logs=False)
    app = FastAPI(title=title, docs_url=None, redoc_url=None, telemetry=silent, lifespan=lifespan)
    app.state.root = root
    for router in routers:
        app.include_router(router)
    app.add_middleware(KeyCheck, root=root)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))
    app.add_exception_handler(NotFound, _answer(404))
    app.add_exception_handler(LobforgeError, _answer(409))
    app.add_exception_handler(sqlite3.OperationalError, _answer(503))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


def serve(build: Callable[[], App], port: int, workers: int = 1) -> None:
    """Serve an application on 127.0.0.1 until SIGINT or SIGTERM.

    Args:
        build: makes the application, in each worker; with several workers it is sent to them, so it is importable.
        port: of the loopback interface.
        workers: processes that answer; one that ends is replaced.

    Raises:
        SettingsError: the port is taken.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    try:
        listening = socket.create_server((HOSTS[0], port), backlog=128)
    except OSError as error:
        raise SettingsError(f"Port {port} of {HOSTS[0]} cannot be used: {error.strerror}. Name another one.") from error
    config = uvicorn.Config(
        build, factory=True, workers=workers, log_level="warning", access_log=False, server_header=False
    )
    with listening:
        if workers == 1:
            uvicorn.Server(config).run([listening])
        else:
            Multiprocess(config, sockets=[listening]).run()


def caller(request: Request) -> str:
    """The name of the key of a request that changes something."""
    return str(request.state.caller)


def _given(scope: Scope) -> str | None:
    """The key in the headers of a request, None if there is none."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    scheme, _, token = headers.get(b"authorization", "").partition(" ")
    return headers.get(b"x-api-key") or (token.strip() if scheme.lower() == "bearer" else None)


def _refusal(*, has_keys: bool) -> JSONResponse:
    if not has_keys:
        text = "No API key is configured, so nothing can be changed. Make one with `lobforge key create NAME`."
        return problem(403, "Forbidden", text)
    text = "The API key is missing or wrong. Send it as `X-API-Key: KEY`; `lobforge key create NAME` makes another."
    return problem(401, "Unauthorized", text, {"WWW-Authenticate": "Bearer"})


def _answer(code: int) -> Callable[[Request, Exception], JSONResponse]:
    def answer(_: Request, error: Exception) -> JSONResponse:
        return problem(code, type(error).__name__, str(error))

    return answer


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """A request that is not as the route wants it; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    faults = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    text = f"The request is invalid: {'; '.join(faults)}. See /openapi.json."
    return problem(422, "InvalidRequest", text)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    return problem(error.status_code, f"HTTP{error.status_code}", f"{error.detail}. See /openapi.json.", error.headers)
