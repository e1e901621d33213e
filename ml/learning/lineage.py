"""All trials that were ever run on a lineage of data: what a best result must be discounted for.

Here: the append-only record of searches, and how many of their trials saw data that a panel is made of.
Not here: the search (`ml.learning.tuning`), the discount (`ml.evaluation.returns`).

Data of an instrument are one lineage: whoever searched on any of the same days, for whichever experiment, looked at the
same market. The same search once more, with the same results, is the same trials.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ml.core.paths import DataRoot
from ml.learning.dataset import PanelRecord, Source
from ml.learning.tuned import Tuned
from ml.storage.durable import append_line


def note(root: DataRoot, panel: PanelRecord, tuned: Tuned) -> None:
    """Put the trials of a search on record, unless they are."""
    line = _line(panel, tuned)
    if all(known["id"] != line["id"] for known in _lines(root)):
        append_line(root.trials, json.dumps(line, sort_keys=True))


def trials(root: DataRoot, panel: PanelRecord, tuned: Tuned) -> int:
    """Trials of all searches that saw a day of an instrument of the panel, those of its own search included."""
    own = _line(panel, tuned)
    days = _days(panel.sources)
    others = {line["id"]: line for line in _lines(root)} | {own["id"]: own}
    return sum(line["trials"] for line in others.values() if not days.isdisjoint(line["days"]))


def _line(panel: PanelRecord, tuned: Tuned) -> dict[str, Any]:
    identity = hashlib.sha256(json.dumps([panel.dataset_id, asdict(tuned)], sort_keys=True).encode()).hexdigest()
    days = sorted(_days(panel.sources))
    return {"id": identity, "experiment": panel.experiment.name, "trials": tuned.n_trials, "days": days}


def _days(sources: Sequence[Source]) -> set[str]:
    return {f"{source.date}|{source.instrument}" for source in sources}


def _lines(root: DataRoot) -> list[dict[str, Any]]:
    if not root.trials.exists():
        return []
    # a torn last line was never acknowledged
    return [json.loads(line) for line in root.trials.read_text().splitlines() if line.endswith("}")]
