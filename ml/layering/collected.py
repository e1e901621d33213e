"""Cues of a running capture as the predecessor's files: a file whenever 100 have come, and the rest when it stops.

Here: the buffer, and the files.
Not here: the columns (`ml.layering.patterns`), who finds cues (`live.runner`).

The data set (`layering_dataset`) has the same cues once their days are stored, with labels and the market around them;
it then replaces these files. What a killed process still held is therefore not lost.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ml.core.instruments import Instrument
from ml.layering import patterns
from ml.layering.tables import DATASET


class CueFiles:
    """Cues on their way to disk.

    Args:
        folder: where the files are put.
        instruments: by id.
        tell: is told of each file.
    """

    def __init__(
        self, folder: Path, instruments: Mapping[str, Instrument], tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self.folder = folder
        self.instruments = instruments
        self.tell = tell
        self._waiting: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, row: Mapping[str, Any]) -> None:
        """Take a row of a live runner with a cue in it; the hundredth makes a file."""
        self._waiting.append(self._row(row["cue"], self.instruments[row["instrument"]]))
        if len(self) >= patterns.ROWS_A_FILE:
            self.save()

    def save(self) -> None:
        """Write what waits. A folder with the predecessor's own statistics is left as it is."""
        rows = pl.DataFrame(self._waiting, schema=DATASET.schema)
        self._waiting = []
        name = patterns.add(self.folder, rows) if rows.height else None
        if name is not None:
            self.tell({"cues_saved": rows.height, "file": name})

    def _row(self, cue: Mapping[str, Any], instrument: Instrument) -> dict[str, Any]:
        """A row of the data set; labels, and the market of the 24 hours before, are not known while it is live."""
        volume = cue["volume"] * instrument.contract_size
        known = {name: cue[name] for name in ("side", "start", "last_pull", "score")}
        known |= {"instrument": instrument.id, "ts": cue["end"], "id": cue["id"], "volume": cue["volume"]}
        known |= {"notional": volume * sum(cue["prices"]) / len(cue["prices"])} | dict(cue["features"])
        return {name: known.get(name) for name in DATASET.schema}
