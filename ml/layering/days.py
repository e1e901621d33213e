"""The cues of a stored day.

Here: from the tables `book_events` and `trades` to `layering_cues`.
Not here: from capture files (`ml.layering.scan`), from a live stream (`live.runner`).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.layering.calibration import Calibration
from ml.layering.detector import Cue, shipped_detector
from ml.layering.tables import CUES
from ml.market.book import layout as at
from ml.market.days.samples import streams_of_day

if TYPE_CHECKING:
    from ml.layering.adaptive import AdaptiveModel


def cues_of_day(
    book_events: Iterable[pl.DataFrame],
    trades: pl.DataFrame,
    before: np.ndarray,
    instrument: Instrument,
    calibration: Calibration | None = None,
    champion: "AdaptiveModel | None" = None,
) -> pl.DataFrame:
    """The table `layering_cues` of a day, by the shipped scorer; no row where it cannot be judged (`Finder.unjudged`).

    Args:
        book_events: the table, in parts; of its columns `ml.market.days.tables.BOOK` are needed.
        trades: the table.
        before: samples of the hour before the day (`ml.market.days.samples.tail`): S reaches back into it.
        instrument: whose day it is.
        calibration: from which score on; None takes the simulator's threshold.
        champion: the model that learned from votes, if there is one.
    """
    detector = shipped_detector(instrument, calibration, champion)
    invalid = np.flatnonzero(before[:, at.VALID] == 0)
    known = before[invalid[-1] + 1 :] if len(invalid) else before
    detector.finder.seed(known[:, [at.BID_SIZE, at.ASK_SIZE]])
    cues = list[Cue]()
    for books, prints in streams_of_day(book_events, trades):
        cues += detector.take(books, prints)
    return cue_frame([] if detector.finder.unjudged() else cues, detector.calibration.threshold)


def cue_frame(cues: Sequence[Cue], threshold: float) -> pl.DataFrame:
    """Cues as rows of the table."""
    rows = [
        {
            "ts": cue.end,
            "id": cue.id,
            "side": cue.side,
            "start": cue.start,
            "first_pull": cue.first_pull,
            "last_pull": cue.last_pull,
            "prices": list(cue.prices),
            "volume": cue.volume,
            "scale": cue.scale,
            "score": cue.score,
            "final_score": cue.final_score,
            "score_low": cue.low,
            "score_high": cue.high,
            "verdict": cue.verdict,
            "threshold": threshold,
            "reason": cue.reason,
        }
        | cue.features
        for cue in cues
    ]
    return pl.DataFrame(rows, schema=CUES.schema)
