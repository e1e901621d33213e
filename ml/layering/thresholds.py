"""From which score on a cluster of an instrument is a cue, in a data root.

Here: the stored calibration of each instrument, and the simulator's where there is none.
Not here: how a threshold follows from flow (`ml.layering.calibration`).

A calibration is kept for every budget, so that another budget needs no other flow; it holds for the scorer that it was
made with and no other.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.layering.calibration import Calibration
from ml.layering.model import CueModel, load
from ml.layering.scan import ordinary_flow
from ml.layering.training import BUDGETS, Tell
from ml.market.files.capture_sequence import CaptureSequence
from ml.storage.durable import write_text

OTHER_SCORER = "simulator; the stored calibration is for another scorer"


def of(root: DataRoot, instrument: Instrument, budget: float | None = None) -> Calibration:
    """The calibration in force for an instrument of a data root.

    Args:
        root: the data root.
        instrument: whose threshold it is.
        budget: false alarms an hour; None takes the scorer's. Of those stored the largest within it counts.
    """
    model = load()
    aim = model.card.budget if budget is None else budget
    simulated = Calibration(model.card.threshold_at(aim), aim, "simulator")
    path = root.calibration(instrument.id)
    if not path.exists():
        return simulated
    stored = json.loads(path.read_text())
    if stored["scorer"] != _identity(model):
        return Calibration(simulated.threshold, aim, OTHER_SCORER)
    found = [Calibration(**one) for one in stored["budgets"]]
    return max((one for one in found if one.budget <= aim), key=lambda one: one.budget, default=found[0])


def calibrate(root: DataRoot, instruments: Sequence[Instrument], chain: CaptureSequence, tell: Tell) -> dict[str, Any]:
    """Fix the thresholds of instruments from ordinary flow, store them, and return them by instrument.

    Args:
        root: where they are stored.
        instruments: of which the captures hold flow.
        chain: the captures.
        tell: is told how far it is.
    """
    model = load()
    return {one.id: _stored(root, one, chain, model, tell) for one in instruments}


def _stored(
    root: DataRoot, instrument: Instrument, chain: CaptureSequence, model: CueModel, tell: Tell
) -> list[dict[str, Any]]:
    flow = ordinary_flow(chain, instrument, model)
    tell(f"{instrument.id}: {len(flow.scores):,} clusters in {flow.hours:.2f} h")
    found = [asdict(flow.calibration(budget, model.card.threshold_at(budget))) for budget in BUDGETS]
    document = {"instrument": instrument.id, "scorer": _identity(model), "budgets": found}
    path: Path = root.calibration(instrument.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(document, indent=1, sort_keys=True) + "\n")
    return found


def _identity(model: CueModel) -> str:
    return hashlib.sha256(model.text.encode()).hexdigest()
