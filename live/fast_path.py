"""The two routes that answer predictions, as an ASGI application before FastAPI's router.

Here: admission, the checks that hold for every request, bodies, and the description of both routes for OpenAPI.
Not here: the answers (`live.predictions`), all other routes (`live.model_server`).

A request passes in this order: rate and number of open requests (429), host (400), a key if one was sent (401), method
(405), size (413), JSON (400), schema (422). Predicting changes nothing, so it needs no key.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

import msgspec

from live.predictions import (
    BatchRequest,
    BatchResponse,
    Prediction,
    Predictor,
    PredictRequest,
    PredictResponse,
    Refused,
)
from live.request_metrics import RequestMetrics
from live.server import HOSTS, MOST_BYTES, PROBLEM_JSON, App, Problem, Receive, Scope, Send, check_key, problem
from ml.core.paths import DataRoot

PREDICT = "/api/ml/predict"
BATCH = "/api/ml/predict/batch"
UNLIMITED = ("/api/ml/health", "/metrics")
"""What watches the server is answered when nobody else is."""
MOST_OPEN = 512
"""Requests that are open at once, those whose bodies are slow included."""
ROW_BYTES = 64 << 10
BODY_SECONDS = 10.0
ALLOWED_HOSTS = frozenset(host.encode() for host in HOSTS)


class Rate:
    """Requests that may pass: so many a second on average, as many at once after a quiet second.

    Args:
        per_second: of all clients together.
        clock: seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = perf_counter) -> None:
        self.per_second = per_second
        self._clock = clock
        self._left = per_second
        self._at = clock()

    def admit(self) -> bool:
        """Take one of the requests that are left; False if none is."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self.per_second, max(self.per_second, 1.0))
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class FastPath:
    """Answers predictions itself and hands every other request on.

    Args:
        app: the other routes.
        root: whose keys count.
        predictor: who answers.
        metrics: of all requests, those that are handed on included.
        rate: requests that may pass.
        routes: the paths that metrics name; any other is `other`.
    """

    def __init__(
        self, app: App, root: DataRoot, predictor: Predictor, metrics: RequestMetrics, rate: Rate, routes: set[str]
    ) -> None:
        self.app = app
        self.root = root
        self.predictor = predictor
        self.metrics = metrics
        self.rate = rate
        self.routes = routes | {PREDICT, BATCH}
        self.open = 0
        self._row = msgspec.json.Decoder(PredictRequest)
        self._rows = msgspec.json.Decoder(BatchRequest)
        self._encoder = msgspec.json.Encoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = perf_counter()
        path = scope["path"]
        self.open += 1
        status = 500
        try:
            if path not in UNLIMITED and (self.open > MOST_OPEN or not self.rate.admit()):
                status = await _send(scope, receive, send, busy())
            elif path in (PREDICT, BATCH):
                status = await self._predict(scope, receive, send)
            else:
                status = await self._hand_on(scope, receive, send)
        finally:
            self.open -= 1
            self.metrics.request(path if path in self.routes else "other", status, perf_counter() - begun)

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> int:
        status = 500

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, receive, noting)
        return status

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> int:
        is_batch = scope["path"] == BATCH
        refused, length = self._checked(scope)
        most = MOST_BYTES if is_batch else ROW_BYTES
        if refused is not None:
            return await _send(scope, receive, send, refused)
        if length > most:
            return await _send(scope, receive, send, too_large(most))
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, most)
        except TimeoutError:
            text = f"The body did not arrive within {BODY_SECONDS:g} s. Send it at once."
            return await _send(scope, receive, send, problem(408, "SlowBody", text, {"Connection": "close"}))
        if body is None:
            return await _send(scope, receive, send, too_large(most))
        try:
            answer = self._many(body) if is_batch else self._one(body)
        except Refused as error:
            kind = "NotFound" if error.status == HTTPStatus.NOT_FOUND else "InvalidRequest"
            return await _send(scope, receive, send, problem(error.status, kind, str(error)))
        except msgspec.ValidationError as error:
            return await _send(scope, receive, send, problem(422, "InvalidRequest", f"{error}. See /openapi.json."))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            text = f"The body is no JSON that can be read: {error}. Numbers are finite; NaN and Infinity are not JSON."
            return await _send(scope, receive, send, problem(400, "InvalidJSON", text))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return 200

    def _checked(self, scope: Scope) -> tuple[Any, int]:
        """The refusal of a request by its headers, None if it may pass, and how long its body is said to be."""
        host = b""
        length = 0
        has_key = False
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"content-length":
                length = int(value)
            elif name in (b"x-api-key", b"authorization"):
                has_key = True
        if host.partition(b":")[0] not in ALLOWED_HOSTS:
            return problem(400, "HTTP400", f"Invalid host header. Ask {' or '.join(HOSTS)}."), length
        if has_key:
            refused = check_key(self.root, scope, is_read=True)
            if refused is not None:
                return refused, length
        if scope["method"] != "POST":
            text = "Method Not Allowed. Send a POST; see /openapi.json."
            return problem(405, "HTTP405", text, {"Allow": "POST"}), length
        return None, length

    def _one(self, body: bytes) -> bytes:
        answer = self.predictor.one(self._row.decode(body))
        if answer.withheld is None:
            self.metrics.answered(answer.experiment, answer.model or "")
        else:
            self.metrics.kept(answer.experiment, answer.withheld)
        return self._encoder.encode(answer)

    def _many(self, body: bytes) -> bytes:
        answer = self.predictor.many(self._rows.decode(body))
        withheld = [one.withheld for one in answer.predictions if one.withheld is not None]
        for reason in withheld:
            self.metrics.kept(answer.experiment, reason)
        if len(withheld) < len(answer.predictions):
            self.metrics.answered(answer.experiment, answer.model or "", len(answer.predictions) - len(withheld))
        return self._encoder.encode(answer)


def busy() -> Any:
    """The answer to a request that is one too many."""
    return problem(429, "TooManyRequests", "Too many requests. Ask again after Retry-After.", {"Retry-After": "1"})


def too_large(most: int) -> Any:
    """The answer to a body that is too large; what is left of it is not read."""
    text = f"The body is larger than {most} bytes. Send fewer rows at once."
    return problem(413, "TooLarge", text, {"Connection": "close"})


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document with both routes added to it."""
    types = (PredictRequest, PredictResponse, Prediction, BatchRequest, BatchResponse)
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components.update(schemas)
    components["Problem"] = Problem.model_json_schema()
    document["paths"][PREDICT] = _operation("predict", "The answer of an experiment's model to a row.", types[:2])
    document["paths"][BATCH] = _operation("predict_batch", "Answers to rows, all by one model.", types[3:])
    return document


def _operation(name: str, summary: str, types: tuple[type, ...]) -> dict[str, Any]:
    asked, answered = types
    fault = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {
        str(code): {"description": HTTPStatus(code).phrase, "content": fault}
        for code in (400, 401, 404, 405, 408, 413, 422, 429, 503)
    }
    schema = {"$ref": f"#/components/schemas/{answered.__name__}"}
    responses["200"] = {"description": "OK", "content": {"application/json": {"schema": schema}}}
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{asked.__name__}"}}}
    return {
        "post": {
            "tags": ["predictions"],
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": body},
            "responses": responses,
        }
    }


async def _read(receive: Receive, most: int) -> bytes | None:
    """The body of a request; None if it is larger than `most` bytes, and then the rest is not read."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        body: bytes = message.get("body", b"")
        size += len(body)
        if size > most:
            return None
        parts.append(body)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(scope: Scope, receive: Receive, send: Send, response: Any) -> int:
    await response(scope, receive, send)
    return response.status_code
