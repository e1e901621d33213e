"""`lobforge serve`: the promoted models over HTTP.

Here: the application, and all routes but those that answer predictions.
Not here: predictions (`live.predictions`, `live.fast_path`), what decides about models (`ml.promotion`).
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from live.fast_path import FastPath, Rate, describe
from live.models import Served, ServedModels, Speaker
from live.predictions import Predictor
from live.request_metrics import FOLDER, RequestMetrics
from live.server import MOST_BYTES, App, build_app, caller, problems, serve
from ml.core.errors import LobforgeError, ModelRefused
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.core.time import text_of
from ml.feature_store.latest import newest, published
from ml.learning.models import trees

router = APIRouter(prefix="/api/ml", tags=["models"], max_body_size=MOST_BYTES)
metrics_router = APIRouter(tags=["models"])


@dataclass(frozen=True)
class Options:
    """How a server answers.

    Args:
        max_age: seconds that the newest row of an instrument may be old.
        rate: requests a second that one worker answers; more get 429.
    """

    max_age: float = 5.0
    rate: float = 5_000.0


class Challenge(BaseModel):
    """Which version of an experiment is tried beside its champion, and why."""

    model_config = ConfigDict(extra="forbid")
    experiment: Annotated[str, Field(min_length=1, max_length=128)] = DEFAULT_EXPERIMENT
    version: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
    reason: Annotated[str, Field(max_length=2_000)] = ""


class Metrics(Response):
    """Text for Prometheus."""

    media_type = "text/plain; version=1.0.0; charset=utf-8"


@router.get("/models", responses=problems(429))
def models(request: Request) -> dict[str, Any]:
    """The experiments with the models that serve, and all registered versions."""
    served: ServedModels = request.app.state.models
    return {"experiments": [_shown(one) for one in served.served.values()]}


@router.post("/models/reload", responses=problems(409, 429))
async def reload(request: Request) -> dict[str, Any]:
    """Load what the registry says now, without waiting for the server to see it.

    With several workers it is the one that answers that reloads; the others follow within a fraction of a second.
    """
    served: ServedModels = request.app.state.models
    await served.reload()
    return {"experiments": [_shown(one) for one in served.served.values()]}


@router.get("/health", responses=problems())
def health(request: Request) -> dict[str, Any]:
    """Whether the server can predict: `ok`, `no_model`, or `degraded` if a decision could not be followed."""
    root: DataRoot = request.app.state.root
    served: ServedModels = request.app.state.models
    faults = {one.name: one.fault for one in served.served.values() if one.fault}
    has_model = any(one.champion for one in served.served.values())
    return {
        "status": "degraded" if faults or request.app.state.follower.done() else "ok" if has_model else "no_model",
        "faults": faults,
        "models": {name: _summary(one.champion) for name, one in served.served.items()},
        "data_age_ms": {name: _row_age(root, name) for name in published(root)},
        "process": os.getpid(),
    }


@router.post("/ab-test/enable", responses=problems(409, 429))
def enable_ab_test(request: Request, challenge: Challenge) -> dict[str, Any]:
    """Let a version challenge the champion: shadow first, then a share of the traffic, as the policy says.

    The same as `lobforge models challenge`.
    """
    from ml.promotion.registry import registered

    root: DataRoot = request.app.state.root
    record = registered(root, challenge.experiment).challenge(challenge.version, caller(request), challenge.reason)
    return {
        "experiment": challenge.experiment,
        "version": record["mlflow_version"],
        "challenger": record["candidate"],
        "champion": record["champion_before"],
        "record": record["hash"],
    }


@metrics_router.get("/metrics", response_class=Metrics, responses=problems())
def metrics(request: Request) -> Metrics:
    """Counters and times for Prometheus."""
    return Metrics(request.app.state.metrics.text())


def application(root: DataRoot, options: Options) -> App:
    """The application of a data root; the models that serve now are loaded.

    Raises:
        SettingsError or InstrumentError: `lobforge.toml` is missing or wrong.
    """
    counts = RequestMetrics()
    served = ServedModels(root, counts.reloaded)

    @asynccontextmanager
    async def following(app: FastAPI) -> AsyncGenerator[None]:
        app.state.follower = asyncio.create_task(served.follow())
        yield
        app.state.follower.cancel()
        with suppress(asyncio.CancelledError):
            await app.state.follower

    app = build_app(root, "lobforge serve", (router, metrics_router), following)
    app.state.models = served
    app.state.metrics = counts
    document = describe(app.openapi())
    app.openapi = lambda: document  # type: ignore[method-assign]
    predictor = Predictor(root, served, options.max_age)
    paths = set(document["paths"])
    return FastPath(app, root, predictor, counts, Rate(options.rate), paths)


def run(root: DataRoot, port: int, workers: int, options: Options) -> None:
    """Serve until SIGINT or SIGTERM; no process that answers can unpickle anything.

    Raises:
        SettingsError: the port is taken.
    """
    build = partial(_guarded, root, options)
    if workers == 1:
        serve(build, port)
        return
    with TemporaryDirectory(prefix="lobforge-metrics-") as folder:
        os.environ[FOLDER] = folder
        serve(build, port, workers)


def _guarded(root: DataRoot, options: Options) -> App:
    """The application in a process that refuses pickles from now on; compiled code is loaded before."""
    app = application(root, options)
    trees.prepare()
    sys.addaudithook(refuse_pickles)
    return app


def refuse_pickles(event: str, _: tuple[Any, ...]) -> None:
    """An audit hook.

    Raises:
        ModelRefused: something in this process would unpickle an object.
    """
    if event == "pickle.find_class":
        raise ModelRefused("A pickle was about to be loaded: it may hold code, and nothing here needs one.")


def _shown(served: Served) -> dict[str, Any]:
    serving = served.serving
    return {
        "experiment": served.name,
        "champion": _summary(served.champion),
        "beside": _summary(served.beside),
        "stage": serving.stage,
        "share": serving.share if serving.stage == "split" else 0.0,
        "loaded_at": served.loaded_at,
        "fault": served.fault,
        "versions": [
            {
                "version": one.version,
                "model": one.model_id,
                "aliases": list(one.aliases),
                "registered_at": one.registered_at,
                "retired": one.retired,
            }
            for one in served.versions
        ],
    }


def _summary(speaker: Speaker | None) -> dict[str, Any] | None:
    """A model that serves, by its card."""
    if speaker is None:
        return None
    card = speaker.seat.model.card
    return {
        "model": speaker.model,
        "version": speaker.version,
        "role": speaker.role,
        "family": card.model,
        "horizon": card.horizon,
        "trained_until": text_of(card.trained_until),
        "feature_set": card.feature_set,
        "feature_set_hash": card.feature_set_hash,
        "features": list(card.features),
    }


def _row_age(root: DataRoot, instrument: str) -> float | None:
    """Age of an instrument's newest row in ms, None if it was torn."""
    try:
        return newest(root, instrument).age() // 1_000 / 1_000
    except LobforgeError:
        return None
