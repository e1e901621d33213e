"""The page on which people review cues, and what it asks the server for.

Here: the queue, one cue with its market, votes and their undoing, export and import.
Not here: the log of votes (`ml.layering.labels`), the order of review (`ml.layering.review_order`), the check of keys
(`live.server`).

A reviewer is who owns the key of a request. The score of a cue, its contributions and what others say are told to who
has voted on it.
"""

from functools import lru_cache
from pathlib import Path
from time import time_ns
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from fastapi import APIRouter, Body, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from live import pages
from live.server import MOST_BYTES, NotFound, caller, problems
from ml.core import config
from ml.core.errors import DatasetError
from ml.core.paths import DataRoot
from ml.layering import evidence, stored
from ml.layering.features import FEATURES, NAMES
from ml.layering.labels import REVIEW, VERDICTS, LabelLog, agreements
from ml.layering.review_order import next_to_review
from ml.plotting.cue import picture

QUEUE = 200
"""Cues that the queue holds at most."""
LONGEST_NOTE = 2_000
PAGE = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"}
VERDICT_OF = {label: name for name, label in VERDICTS.items()}

Files = tuple[tuple[Path, int], ...]
"""Files of a table with the times at which they changed."""

pages_router = APIRouter(include_in_schema=False)
router = APIRouter(prefix="/api/review", tags=["review"], max_body_size=MOST_BYTES)


class Png(Response):
    """A picture."""

    media_type = "image/png"


class Csv(Response):
    """A table as text."""

    media_type = "text/csv"


class Vote(BaseModel):
    """What a reviewer says of a cue."""

    verdict: Literal["accept", "reject", "unsure"]
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""


class Undo(BaseModel):
    """Which vote is taken back: the last one of a cue, or the last one at all."""

    cue_id: str | None = None


@pages_router.get("/")
def page() -> HTMLResponse:
    """The page itself."""
    return HTMLResponse(pages.review(), headers=PAGE)


@pages_router.get("/static/{name}")
def static(name: Literal["review.js", "review.css"]) -> Response:
    """Its script and its style."""
    kind = "text/javascript" if name.endswith(".js") else "text/css"
    return Response((pages.HERE / "static" / name).read_bytes(), media_type=kind)


@router.get("/queue", responses=problems())
def queue(request: Request) -> dict[str, Any]:
    """The cues to review, best first, those that the caller has voted on last, and how far the review is."""
    root: DataRoot = request.app.state.root
    cues = known_cues(root)
    with LabelLog(root.label_log) as log:
        votes = log.votes()
        labels = log.labels()
    mine = _votes_of(votes, request.state.caller)
    disputed = set(labels.filter(pl.col("conflict"))["cue_id"])
    reviewed = cues["id"].is_in(list(mine)).to_numpy()
    conflict = cues["id"].is_in(list(disputed)).to_numpy() & ~reviewed
    order = next_to_review(cues["score"].to_numpy(), cues.select(NAMES).to_numpy(), reviewed, QUEUE, conflict)
    rows = cues.select("id", "instrument", "side", "ts").to_dicts()
    done = [k for k in range(len(rows)) if reviewed[k]]
    labelled = labels.filter(pl.col("label").is_not_null())
    return {
        "reviewer": request.state.caller,
        "items": [rows[k] | {"verdict": mine.get(rows[k]["id"])} for k in [*order, *done]],
        "progress": {
            "cues": cues.height,
            "voted": len(done),
            "labelled": labelled.height,
            "layering": int((labelled["label"] == 1).sum()),
            "disputed": len(disputed),
        },
        "agreement": [pair._asdict() for pair in agreements(votes)],
    }


@router.get("/cues/{cue_id}", responses=problems(404, 409))
def one_cue(request: Request, cue_id: str) -> dict[str, Any]:
    """One cue: what is seen of it, and, to who has voted on it, the score with its reasons and all votes."""
    root: DataRoot = request.app.state.root
    packet = _packet(root, cue_id)
    cue = packet["cue"]
    shown = {name: cue[name] for name in ("id", "side", "start", "first_pull", "last_pull", "decided", "prices")}
    with LabelLog(root.label_log) as log:
        votes = log.votes().filter(cue_id=cue_id)
        label = log.labels().filter(cue_id=cue_id).to_dicts()
    mine = _votes_of(votes, request.state.caller).get(cue_id)
    volume = {"volume": cue["volume"], "typical_best_size": cue["typical_best_size"]}
    facts = {
        **shown,
        **volume,
        "instrument": packet["instrument"]["id"],
        "reason": cue["reason"],
        "features": _beside_others(known_cues(root), packet["features"]),
        "verdict": mine,
        "revealed": None,
    }
    if mine is None:
        return facts
    others = votes.filter(pl.col("undone").is_null()).select("labeller", "source", "label", "time", "note")
    score = {name: cue[name] for name in ("score", "final_score", "score_low", "score_high", "threshold", "verdict")}
    explained = {name: packet["score"][name] for name in ("base", "contributions", "counterfactuals")}
    label_now = label[0] if label else None
    return facts | {"revealed": score | explained | {"label": label_now, "votes": others.to_dicts()}}


@router.get("/cues/{cue_id}/picture.png", responses=problems(404, 409), response_class=Png)
def cue_picture(request: Request, cue_id: str) -> Png:
    """The book around a cue by time and price, with trades and the pulled lots outlined."""
    return Png(_picture(request.app.state.root, cue_id), headers={"Cache-Control": "max-age=3600"})


@router.get("/cues/{cue_id}/evidence.html", responses=problems(404, 409), response_class=HTMLResponse)
def cue_evidence(request: Request, cue_id: str) -> HTMLResponse:
    """The evidence packet as one page, for who has voted on the cue."""
    root: DataRoot = request.app.state.root
    packet = _packet(root, cue_id)
    with LabelLog(root.label_log) as log:
        if cue_id not in _votes_of(log.votes(), request.state.caller):
            raise DatasetError("The evidence has the score, which is told after the vote. Vote on the cue first.")
    return HTMLResponse(pages.evidence(packet, _picture(root, cue_id)), headers=PAGE)


@router.post("/cues/{cue_id}/votes", responses=problems(404))
def vote(request: Request, cue_id: str, vote: Vote) -> dict[str, Any]:
    """Vote on a cue; the vote is on disk when this answers."""
    root: DataRoot = request.app.state.root
    with voting_log(root, cue_id) as log:
        number = log.vote(cue_id, VERDICTS[vote.verdict], caller(request), time_ns(), vote.note)
    return {"vote_id": number, "cue_id": cue_id, "verdict": vote.verdict}


@router.post("/undo", responses=problems(409))
def undo(request: Request, undo: Undo) -> dict[str, Any]:
    """Take back a vote of the caller; the log keeps it, with the time at which it was taken back."""
    root: DataRoot = request.app.state.root
    with LabelLog(root.label_log) as log:
        return {"cue_id": log.undo(caller(request), time_ns(), undo.cue_id)}


@router.get("/votes.csv", responses=problems(), response_class=Csv)
def export(request: Request) -> Csv:
    """Every vote as CSV, undone ones too; `lobforge layering import` reads it."""
    with LabelLog(request.app.state.root.label_log) as log:
        named = {"Content-Disposition": 'attachment; filename="votes.csv"'}
        return Csv(log.csv(), headers=named)


@router.post("/votes.csv", responses=problems(409))
def load(request: Request, text: Annotated[str, Body(media_type="text/csv")]) -> dict[str, Any]:
    """Add the votes of a CSV; invalid rows are left out and told by line."""
    root: DataRoot = request.app.state.root
    with LabelLog(root.label_log) as log:
        log.add_cues(known_cues(root)["id"])
        found = log.load(text)
    return {"added": found.added, "known": found.known, "bad": [row._asdict() for row in found.bad]}


def voting_log(root: DataRoot, cue_id: str) -> LabelLog:
    """The log, in which a stored cue is known.

    Raises:
        NotFound: no stored cue and no cue of the log has the id.
    """
    log = LabelLog(root.label_log)
    if cue_id not in log.cues():
        if cue_id not in set(known_cues(root)["id"]):
            log.__exit__()
            raise NotFound(f"There is no cue {cue_id!r}. Take an id from /api/review/queue.")
        log.add_cues([cue_id])
    return log


def known_cues(root: DataRoot) -> pl.DataFrame:
    """The stored cues, read again where a file has changed."""
    return _known_cues(root, _files(root))


def _files(root: DataRoot) -> Files:
    return tuple((path, path.stat().st_mtime_ns) for path in sorted(root.table("layering_cues").rglob("*.parquet")))


@lru_cache(maxsize=1)
def _known_cues(root: DataRoot, _: Files) -> pl.DataFrame:
    return stored.cues(root)


def _packet(root: DataRoot, cue_id: str) -> dict[str, Any]:
    """The evidence of a stored cue.

    Raises:
        NotFound: there is none of that id.
    """
    _require_stored(root, cue_id)
    return _packet_of(root, cue_id, _files(root))


def _picture(root: DataRoot, cue_id: str) -> bytes:
    _require_stored(root, cue_id)
    return _picture_of(root, cue_id, _files(root))


@lru_cache(maxsize=64)
def _packet_of(root: DataRoot, cue_id: str, files: Files) -> dict[str, Any]:
    return evidence.packet(root, _around_of(root, cue_id, files))


@lru_cache(maxsize=64)
def _picture_of(root: DataRoot, cue_id: str, files: Files) -> bytes:
    around = _around_of(root, cue_id, files)
    return picture(around, config.load(root).instrument(around.row["instrument"]))


@lru_cache(maxsize=4)
def _around_of(root: DataRoot, cue_id: str, _: Files) -> stored.Around:
    return stored.around(root, cue_id)


def _require_stored(root: DataRoot, cue_id: str) -> None:
    if cue_id not in set(known_cues(root)["id"]):
        raise NotFound(f"There is no stored cue {cue_id!r}. Take an id from /api/review/queue.")


def _votes_of(votes: pl.DataFrame, reviewer: str | None) -> dict[str, str]:
    """The verdict of a reviewer on each cue on which a vote of theirs stands."""
    standing = votes.filter(pl.col("undone").is_null(), labeller=reviewer or "", source=REVIEW).sort("vote_id")
    newest = standing.unique("cue_id", keep="last")
    return {cue_id: VERDICT_OF[label] for cue_id, label in newest.select("cue_id", "label").iter_rows()}


def _beside_others(cues: pl.DataFrame, features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Features with their percentile among all stored cues, and the quartiles of these."""
    found = list[dict[str, Any]]()
    for feature, known in zip(features, FEATURES, strict=True):
        values = cues[known.id].to_numpy()
        quartiles = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
        below = float(np.mean(values < feature["value"]) + np.mean(values == feature["value"]) / 2)
        found.append({**feature, "percentile": 100 * below, "quartiles": quartiles})
    return found
