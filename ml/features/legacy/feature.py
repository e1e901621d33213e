"""What a column of the predecessor is, and what is wrong with many of them.

Here: the column, the families, the faults that several columns share.
Not here: the columns (`book_columns`, `candle_columns`, `indicator_columns`), the sets (`table`).
"""

from dataclasses import dataclass

from ml.features.tick.table import Feature

FAMILIES = ("orderbook", "candle", "indicator")
STEP = 3
"""Seconds between the snapshots that a column compares: the nominal step of the predecessor's loop."""
MINUTE = 60

PRICE = "absolute: it tells one price level from another"
SIZE = "absolute: it depends on the coin"
TWICE = "the same as {}"
PACED = "a difference of snapshots, which their irregular loop took; here 3 s apart"
DEEP = "the predecessor took every level that it received, 200 by its settings; a sample holds 20"
LOOP = "measured how often the predecessor's own loop ran, not the market"
BEGINNING = "a running sum from the start of a process that nobody knows"
CALLS = "theirs took a step each call, not each candle; here each candle"
REPEATED = "their window held the same candle once for each call; here each candle once"


@dataclass(frozen=True)
class LegacyFeature(Feature):
    """A column of the predecessor's arrays.

    Args:
        fault: what is wrong with it, as it was trained on.
        absent: why it is always null; empty if it is computed.
    """

    source: str = "predecessor"
    fault: str = ""
    absent: str = ""
