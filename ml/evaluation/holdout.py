"""The sealed newest slice of an experiment's rows: who opened it when, and what of it nobody has seen.

Here: the append-only record of openings, and the rows that are still sealed.
Not here: which rows are sealed (`ml.learning.splits.seal`), what a candidate must reach (`ml.evaluation.gates`).

A slice that was looked at once has decided something: whoever tries again until it looks well is measuring luck. The
first candidate may be judged on it; for the next one its figures are contaminated. Newer rows are sealed again.
"""

import json
from dataclasses import asdict, dataclass

import polars as pl

from ml.core.paths import DataRoot
from ml.storage.durable import append_line


@dataclass(frozen=True)
class Opening:
    """One look at sealed rows.

    Args:
        at: when, ns UTC.
        predictions_sha256: hash of the predictions that were looked at.
        candidate: id of the model they speak for.
        start: time of the first row, ns.
        end: time of the last row, ns.
        rows: how many.
    """

    at: int
    predictions_sha256: str
    candidate: str
    start: int
    end: int
    rows: int


@dataclass(frozen=True)
class Unsealed:
    """Sealed rows as a decision gets to see them.

    Args:
        rows: those that nobody has looked at for another candidate.
        seen: how many others there are.
        openings: looks at any of the sealed rows, this one included.
    """

    rows: pl.DataFrame
    seen: int
    openings: int


def openings(root: DataRoot, experiment: str) -> list[Opening]:
    """All looks at an experiment's sealed rows, oldest first."""
    path = root.holdout(experiment)
    lines = path.read_text().splitlines() if path.exists() else []
    # a torn last line: the look did not take place
    return [Opening(**json.loads(line)) for line in lines if line.endswith("}")]


def unseal(
    root: DataRoot, experiment: str, sealed: pl.DataFrame, predictions_sha256: str, candidate: str, at: int
) -> Unsealed:
    """Look at the sealed rows; the look is on record before anything is returned.

    Args:
        root: the data root.
        experiment: its name.
        sealed: the sealed rows of `fold_predictions`.
        predictions_sha256: hash of that file: the same predictions may be looked at again.
        candidate: id of the model.
        at: now, ns UTC.
    """
    if sealed.is_empty():
        return Unsealed(sealed, 0, 0)
    start, end = (int(bound) for bound in (sealed["ts"].min(), sealed["ts"].max()))  # type: ignore[arg-type]
    known = openings(root, experiment)
    if all(one.predictions_sha256 != predictions_sha256 for one in known):
        opening = Opening(at, predictions_sha256, candidate, start, end, sealed.height)
        append_line(root.holdout(experiment), json.dumps(asdict(opening), sort_keys=True))
        known.append(opening)
    first = next(k for k, one in enumerate(known) if one.predictions_sha256 == predictions_sha256)
    looked_at = max((one.end for one in known[:first]), default=-1)
    fresh = sealed.filter(pl.col("ts") > looked_at)
    overlapping = [one for one in known[: first + 1] if one.end >= start]
    return Unsealed(fresh, sealed.height - fresh.height, len(overlapping))
