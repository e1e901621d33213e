"""`lobforge layering label | export | import`: what people say of cues.

Here: the three commands.
Not here: the log of votes (`ml.layering.labels`).
"""

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.options import AsJson
from ml.core import settings
from ml.core.errors import DatasetError
from ml.core.paths import DataRoot

if TYPE_CHECKING:
    from ml.layering.labels import LabelLog


class Verdict(StrEnum):
    """What a reviewer says."""

    ACCEPT = "accept"
    REJECT = "reject"
    UNSURE = "unsure"
    UNDO = "undo"


CuesFile = Annotated[
    Path | None,
    typer.Option("--cues", metavar="FILE", help="What `lobforge layering scan --json` printed: its cues become known."),
]


def label(
    cue: Annotated[str, typer.Argument(metavar="CUE", help="Id of the cue.")],
    verdict: Annotated[Verdict, typer.Argument(help="Whether it looks like layering; undo takes the last vote back.")],
    labeller: Annotated[str, typer.Option("--as", metavar="NAME", help="Who votes.")],
    note: Annotated[str, typer.Option(help="Free text that stays with the vote.")] = "",
    cues: CuesFile = None,
    as_json: AsJson = False,
) -> int:
    """Vote on a cue, or take a vote back: accept, reject, unsure, undo.

    The vote is on disk when the command returns. Returns 2 for a cue that is not known.
    """
    from ml.layering.labels import VERDICTS

    with _log(cues) as log:
        if verdict is Verdict.UNDO:
            log.undo(labeller, time_ns(), cue)
        else:
            log.vote(cue, VERDICTS[verdict.value], labeller, time_ns(), note)
        labels = log.labels().filter(cue_id=cue).to_dicts()
    now: dict[str, Any] = labels[0] if labels else {"cue_id": cue, "label": None, "tier": None, "conflict": False}
    if as_json:
        print(orjson.dumps(now).decode())
        return 0
    said = {1: "layering", 0: "not layering", None: "no label"}[now["label"]]
    why = "reviewers disagree" if now["conflict"] else now["tier"]
    print(f"{cue}: {said}{f' ({why})' if why else ''}")
    return 0


def export(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV to write.")],
    as_json: AsJson = False,
) -> int:
    """Write every vote on cues as CSV.

    `lobforge layering import` reads it; undone votes are in it, with the time at which they were undone.
    """
    from ml.layering.labels import agreements

    with _log(None) as log:
        count = log.export(to)
        pairs = [pair._asdict() for pair in agreements(log.votes())]
    if as_json:
        print(orjson.dumps({"votes": count, "file": str(to), "agreement": pairs}).decode())
        return 0
    print(f"{count} votes in {to}")
    for pair in pairs:
        kappa = "undefined" if pair["kappa"] is None else f"{pair['kappa']:.2f}"
        print(f"{pair['first']} and {pair['second']}: {pair['cues']} cues in common, kappa {kappa}")
    return 0


def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV as `lobforge layering export` writes it.")],
    cues: CuesFile = None,
    as_json: AsJson = False,
) -> int:
    """Add the votes of a CSV; invalid rows are told by line.

    Votes that the log has already are not added twice. Returns 0, 1 if rows were invalid, 2 if nothing could be read.
    """
    with _log(cues) as log:
        found = log.load(file)
    if as_json:
        bad = [row._asdict() for row in found.bad]
        print(orjson.dumps({"added": found.added, "known": found.known, "bad": bad}).decode())
    else:
        print(f"{found.added} votes added, {found.known} known already, {len(found.bad)} rows invalid")
        for row in found.bad:
            print(f"line {row.line}: {row.reason}")
    return 1 if found.bad else 0


@contextmanager
def _log(cues: Path | None) -> "Generator[LabelLog]":
    """The data root's log, in which the stored cues and those of a file are known."""
    from ml.core.addresses import scan
    from ml.layering.labels import LabelLog
    from ml.layering.tables import CUES

    root = DataRoot(settings.load().data_root)
    with LabelLog(root.label_log) as log:
        for path in sorted(root.table(CUES.name).rglob("*.parquet")):
            log.add_cues(scan(path).select("id").collect()["id"])
        if cues is not None:
            log.add_cues(_ids(cues))
        yield log


def _ids(path: Path) -> list[str]:
    """Ids of the cues in what a scan printed."""
    try:
        found: Any = orjson.loads(path.read_bytes())
        return [str(cue["id"]) for one in found["instruments"].values() for cue in one["cues"]]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not what `lobforge layering scan --json` prints: {error!r}.") from error
