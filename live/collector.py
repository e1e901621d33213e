"""The predecessor's API of labels and training, on our log of votes.

Here: its paths, with its field names.
Not here: the log (`ml.layering.labels`), the requests to train (`ml.layering.requests`), who starts a run
(`pipelines.sensors`).
"""

from pathlib import PurePosixPath
from time import time_ns
from typing import Annotated, Any, Literal
from uuid import uuid4

import polars as pl
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from live.review import LONGEST_NOTE, known_cues, voting_log
from live.server import MOST_BYTES, NotFound, caller, problems
from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.layering.adaptive import lacking
from ml.layering.features import NAMES
from ml.layering.labels import TIERS, LabelLog, agreements, for_tests, for_training
from ml.layering.model import load
from ml.layering.requests import TrainRequest, TrainRequests
from ml.storage import decisions

MOST_ROWS = 1_000
LARGEST = 2**63 - 1

router = APIRouter(prefix="/api/ml", tags=["predecessor"], max_body_size=MOST_BYTES)
Tier = Literal["injected", "gold", "silver", "weak", "self"]


class Label(BaseModel):
    """A label by hand, as the predecessor's clients send it; `label` null says unsure."""

    model_config = ConfigDict(extra="forbid")
    data_id: str
    label: StrictBool | None
    label_source: Literal["manual"] = "manual"
    label_confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    notes: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""


class TrainOptions(BaseModel):
    """Nothing can be chosen; an empty object or no body at all."""

    model_config = ConfigDict(extra="forbid")


@router.get("/data-collector/statistics", responses=problems())
def statistics(request: Request) -> dict[str, Any]:
    """Cues and labels so far. Nothing waits in a buffer: a cue is stored with its day, a vote when it is given."""
    root: DataRoot = request.app.state.root
    cues = known_cues(root)
    with LabelLog(root.label_log) as log:
        labels = log.labels()
        pairs = [pair._asdict() for pair in agreements(log.votes())]
    labelled = for_training(labels)
    return {
        "enabled": True,
        "total_collected": cues.height,
        "total_labeled": labelled.height,
        "buffer_size": 0,
        "files_on_disk": len(list(root.table("layering_cues").rglob("*.parquet"))),
        "labeling_rate": labelled.filter(pl.col("cue_id").is_in(cues["id"].implode())).height / max(cues.height, 1),
        "true": int((labelled["label"] == 1).sum()),
        "false": int((labelled["label"] == 0).sum()),
        "conflicts": int(labels["conflict"].sum()),
        "tiers": {tier: labelled.filter(tier=tier).height for tier in TIERS},
        "agreement": pairs,
    }


@router.get("/data-collector/labeled-data", responses=problems())
def labeled_data(
    request: Request,
    tier: Tier | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> dict[str, Any]:
    """Labelled cues with their features, by id; `total` counts all of them."""
    root: DataRoot = request.app.state.root
    with LabelLog(root.label_log) as log:
        found = for_training(log.labels(), (tier,) if tier else TIERS)
    part = found.sort("cue_id").slice(offset, limit)
    named = known_cues(root).select("instrument", "ts", "side", *NAMES, cue_id="id")
    rows = part.join(named, on="cue_id", how="left", maintain_order="left").iter_rows(named=True)
    return {
        "total": found.height,
        "data": [
            {
                "data_id": row["cue_id"],
                "label": row["label"] == 1,
                "label_source": row["tier"],
                "instrument": row["instrument"],
                "timestamp": row["ts"],
                "side": row["side"],
                "features": None if row["ts"] is None else {name: row[name] for name in NAMES},
            }
            for row in rows
        ],
    }


@router.post("/data-collector/update-label", responses=problems(404))
def update_label(request: Request, label: Label) -> dict[str, Any]:
    """Vote on a cue under the name of the key; the vote is on disk when this answers, and no vote is replaced."""
    confidence = "" if label.label_confidence == 1 else f" (confidence {label.label_confidence:g})"
    value = None if label.label is None else int(label.label)
    with voting_log(request.app.state.root, label.data_id) as log:
        number = log.vote(label.data_id, value, caller(request), time_ns(), f"{label.notes}{confidence}".strip())
        now = log.labels().filter(cue_id=label.data_id).to_dicts()
    resolved = now[0] if now else {"label": None, "tier": None, "conflict": False}
    return {
        "success": True,
        "data_id": label.data_id,
        "vote_id": number,
        "label": None if resolved["label"] is None else resolved["label"] == 1,
        "label_source": resolved["tier"],
        "conflict": resolved["conflict"],
    }


@router.get("/adaptive-model/status", responses=problems(409))
def status(request: Request) -> dict[str, Any]:
    """The scorer of the detector, the model that was promoted on top of it if there is one, and what training needs."""
    root: DataRoot = request.app.state.root
    journal = decisions.journal(root, LAYERING_MODEL)
    scorer = load()
    with LabelLog(root.label_log) as log:
        labelled = for_tests(log.labels())["label"]
    with TrainRequests(root.train_requests) as requests:
        newest = requests.newest()
    return {
        "scorer": {"trained_on": scorer.card.trained_on, "features": len(NAMES), "budget_per_hour": scorer.card.budget},
        "champion": journal[-1].champion if journal else None,
        "decisions": len(journal),
        "labels": int(labelled.len()),
        "missing": lacking(int((labelled == 1).sum()), int((labelled == 0).sum())),
        "last_request": None if newest is None else _shown(newest),
    }


@router.get("/adaptive-model/metrics", responses=problems(404, 409))
def metrics(request: Request) -> dict[str, Any]:
    """The gates of the last decision on a model of cues, each with its number and where it came from."""
    root: DataRoot = request.app.state.root
    journal = decisions.journal(root, LAYERING_MODEL)
    if not journal:
        raise NotFound(
            "No model of cues was ever decided on, so there are no metrics. "
            "POST /api/ml/adaptive-model/train asks for one; /api/ml/adaptive-model/status says what is missing."
        )
    record = decisions.read(root, journal[-1], LAYERING_MODEL)
    named = {name: record[name] for name in ("candidate", "decision", "decided_at", "hash")}
    return {**named, "champion": journal[-1].champion, "gates": record["gates"]}


@router.post("/adaptive-model/train", status_code=202, responses=problems(409))
def train(
    request: Request,
    response: Response,
    options: TrainOptions | None = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=128)] = None,
) -> dict[str, Any]:
    """Ask for a training run. The request is on disk when this answers; with the same `Idempotency-Key` it is the same.

    A sensor of the Dagster daemon starts the run; `Location` says where to read what became of it.
    """
    root: DataRoot = request.app.state.root
    with TrainRequests(root.train_requests) as requests:
        found, is_new = requests.ask(idempotency_key or str(uuid4()), caller(request), time_ns())
    response.headers["Location"] = str(PurePosixPath("/api/ml/adaptive-model/train") / str(found.id))
    return _shown(found) | {"is_new": is_new}


@router.get("/adaptive-model/train/{number}", responses=problems(404))
def train_request(request: Request, number: int) -> dict[str, Any]:
    """What became of a request to train."""
    with TrainRequests(request.app.state.root.train_requests) as requests:
        found = requests.get(number) if 0 < number <= LARGEST else None
    if found is None:
        raise NotFound(f"There is no request {number}. POST /api/ml/adaptive-model/train makes one.")
    return _shown(found)


def _shown(request: TrainRequest) -> dict[str, Any]:
    shown = request._asdict()
    del shown["idempotency_key"]
    return shown
