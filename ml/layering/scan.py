"""Cues directly from capture files, without a data root.

Here: from files to one document per instrument, with what cannot be judged and why.
Not here: the command (`cli.layering_scan`), the detector (`ml.layering.detector`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ml.core.errors import CaptureError, InstrumentError
from ml.core.instruments import Instrument
from ml.layering import layout
from ml.layering.calibration import Calibration, calibrated
from ml.layering.detector import Cue, Detector, EarlyWarning, shown, shown_warning
from ml.layering.finder import Finder, Flow, joined
from ml.layering.layout import F64
from ml.layering.model import CueModel, load
from ml.market.book.layout import I64, BookStream, TradeStream
from ml.market.days.infer_instrument import infer_instrument
from ml.market.decode.eventlog import EventLog
from ml.market.decode.stream import Stream, arrivals
from ml.market.files.capture_sequence import CaptureSequence, link
from ml.market.files.index import scan as indexed

Tell = Callable[[str], None]


def events(chain: CaptureSequence, instrument: Instrument, quarantined: Counter[str]) -> Iterator[EventLog]:
    """The events of an instrument in a chain, in parts; frames that cannot be decoded are counted by reason."""
    stream = Stream.of(instrument, forget=True)
    count = 0
    for run in chain.runs(instrument.id, instrument.decimals):
        log = EventLog()
        for _, error in stream.decode(run.frames, arrivals(count, run.length), log, run.read):
            quarantined[error.reason] += 1
        count += run.length
        yield log


def flows_of(paths: Sequence[Path]) -> list[Flow]:
    """The events of every instrument in capture files, whole."""
    chain = _linked(paths, lambda _: None)
    flows = list[Flow]()
    for name in chain.instruments():
        instrument = infer_instrument(chain, name)
        logs = list(events(chain, instrument, Counter()))
        books, trades = zip(*((log.streams()[0], log.timed_trades()) for log in logs), strict=True)
        rows = np.cumsum([0, *(len(part.side) for part in books)])
        ends = [part.end + offset for part, offset in zip(books, rows.tolist(), strict=False)]
        joined_books = BookStream._make(np.concatenate(columns) for columns in zip(*books, strict=True))
        joined_trades = TradeStream._make(np.concatenate(columns) for columns in zip(*trades, strict=True))
        flows.append(Flow(instrument, joined_books._replace(end=np.concatenate(ends)), joined_trades))
    return flows


def scan(
    paths: Sequence[Path],
    calibrate: Sequence[Path] = (),
    budget: float | None = None,
    model: CueModel | None = None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Cues of every instrument in capture files, in any order of files.

    Args:
        paths: captures.
        calibrate: captures of ordinary flow of the same instruments, without labels.
        budget: false alarms an hour; None takes the scorer's.
        model: the scorer; None takes the one that ships.
        tell: is told now and then how far it is.

    Raises:
        CaptureError: nothing could be read, or the files to calibrate with hold none of the instruments.
    """
    scorer = model or load()
    aim = scorer.card.budget if budget is None else budget
    chain = _linked(paths, tell)
    quiet = _linked(calibrate, tell) if calibrate else None
    if quiet is not None and not set(quiet.instruments()) & set(chain.instruments()):
        raise CaptureError(
            f"The files to calibrate with hold {', '.join(quiet.instruments())}, none of "
            f"{', '.join(chain.instruments())}. Name captures of the same instrument."
        )
    found = {name: _scanned(name, chain, quiet, scorer, aim, tell) for name in chain.instruments()}
    return {"instruments": found, "quarantined": chain.quarantined()}


def _scanned(
    name: str, chain: CaptureSequence, quiet: CaptureSequence | None, model: CueModel, budget: float, tell: Tell
) -> dict[str, Any]:
    calibration = Calibration(model.card.threshold_at(budget), budget, "simulator")
    try:
        instrument = infer_instrument(chain, name)
    except InstrumentError as error:
        return _document(calibration, reason=str(error))
    quarantined = Counter[str]()
    if quiet is not None and name in quiet.instruments():
        tell(f"{name}: calibrating")
        calibration = ordinary_flow(quiet, instrument, model, quarantined).calibration(budget, calibration.threshold)
    detector = Detector(instrument, model, calibration)
    cues = list[Cue]()
    warned = list[EarlyWarning]()
    judged = 0
    for log in events(chain, instrument, quarantined):
        found = detector.finder.take(log)
        judged += len(found)
        cues += detector.judge(found)
        warned += detector.warnings()
        tell(f"{name}: {len(cues)} cues in {detector.finder.hours:.2f} h")
    reason = detector.finder.unjudged()
    return _document(
        calibration,
        [] if reason else [shown(cue, instrument) for cue in cues],
        [] if reason else [shown_warning(one, instrument) for one in warned],
        0.0 if reason else detector.finder.hours,
        0 if reason else judged,
        reason,
        quarantined,
    )


class Ordinary(NamedTuple):
    """Clusters of ordinary flow: times (ns UTC), sides and scores, and the hours over which they could be found."""

    ts: I64
    side: I64
    scores: F64
    hours: float

    def calibration(self, budget: float, simulated: float) -> Calibration:
        """The calibration for a budget, see `calibrated`."""
        return calibrated(self.ts, self.side, self.scores, self.hours, budget, simulated)


def ordinary_flow(
    chain: CaptureSequence, instrument: Instrument, model: CueModel, quarantined: Counter[str] | None = None
) -> Ordinary:
    """The scored clusters of an instrument in captures; what could not be read is counted in `quarantined`."""
    finder = Finder(instrument)
    refused = Counter[str]() if quarantined is None else quarantined
    found = joined([finder.take(log) for log in events(chain, instrument, refused)])
    return Ordinary(
        found.header[:, layout.C_TS], found.header[:, layout.C_SIDE], model.scores(found)[:, 1], finder.hours
    )


def _document(
    calibration: Calibration,
    cues: Sequence[dict[str, Any]] = (),
    warnings: Sequence[dict[str, Any]] = (),
    hours: float = 0.0,
    clusters: int = 0,
    reason: str | None = None,
    quarantined: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    return {
        "cues": list(cues),
        "warnings": list(warnings),
        "hours": hours,
        "clusters": clusters,
        "calibration": asdict(calibration),
        "not_judged": reason,
        "quarantined": dict(quarantined),
    }


def _linked(paths: Sequence[Path], tell: Tell) -> CaptureSequence:
    return link(paths, lambda path: indexed(path, lambda count: tell(f"{path.name}: {count:,} frames read"))[0])
