"""Features and labels of a day directly from captures: what the assets would store, with nothing stored between.

Here: the two tables of a day, and the days that a chain of captures reaches.
Not here: reading captures (`ml.market`), where the tables go (`lobforge features make`).
"""

from typing import NamedTuple

import polars as pl

from ml.core.config import LabelPlan
from ml.core.instruments import Instrument
from ml.core.time import DAY_NS, date_of
from ml.features.tick.build import build
from ml.labels import future
from ml.market.days.samples import sample_captures
from ml.market.days.tables import samples_array
from ml.market.files.capture_sequence import CaptureSequence


class Made(NamedTuple):
    """The tables `features` and `future_labels` of a day, and how many of its frames were quarantined by reason."""

    features: pl.DataFrame
    labels: pl.DataFrame
    refused: dict[str, int]


def make(chain: CaptureSequence, instrument: Instrument, date: str, plan: LabelPlan) -> Made:
    """The tables of a day, row for row as the assets would store them.

    Args:
        chain: captures of the day; those of the hour before it fill its first windows, and the first messages of the
            day after tell whether the book was right up to midnight.
        instrument: decimals of prices and sizes.
        date: UTC, YYYY-MM-DD.
        plan: which labels.

    Raises:
        CaptureError: the chain holds nothing of the day.
    """
    samples, tail, refused = sample_captures(chain, instrument, date)
    rows = build(samples_array(samples), tail, instrument)
    return Made(rows, future.label(samples, tail, date, plan), refused)


def dates(chain: CaptureSequence, instrument_id: str) -> list[str]:
    """The UTC dates that the files with an instrument reach, by its first and last event in each."""
    spans = [span for _, index in chain.files if (span := index.instruments.get(instrument_id)) and span.first_event]
    reached = {day for span in spans for day in range(span.first_event // DAY_NS, span.last_event // DAY_NS + 1)}
    return [date_of(day * DAY_NS) for day in sorted(reached)]
