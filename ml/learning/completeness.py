"""Which instruments never give a row that a model can be trained on, and why.

Here: counting nulls over the partitions of a panel, and the null reasons of the column that is null most often.
Not here: the gate that shows them (`ml.evaluation.gates`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.features.pressure.table import NAMES as PRESSURE_NAMES
from ml.features.pressure.table import TABLE as PRESSURE
from ml.features.sets import WHOLE
from ml.storage.commit import read
from ml.tables.schemas import NullReason


@dataclass
class _Counts:
    rows: int = 0
    complete: int = 0
    nulls: Counter[str] = field(default_factory=Counter[str])
    dates: list[str] = field(default_factory=list[str])


class Completeness:
    """Rows, complete rows and nulls by instrument.

    Args:
        features: columns that a complete row has.
        label: the column of its label.
    """

    def __init__(self, features: Sequence[str], label: str) -> None:
        self._features = features
        self._label = label
        self._found: dict[str, _Counts] = {}

    def add(self, instrument_id: str, date: str, rows: pl.DataFrame) -> None:
        """Count the rows of a partition."""
        counts = self._found.setdefault(instrument_id, _Counts())
        counts.rows += rows.height
        counts.complete += rows.select(*self._features, self._label).drop_nulls().height
        counts.nulls.update({name: rows[name].null_count() for name in self._features})
        counts.dates.append(date)

    def never_complete(self, root: DataRoot, config: Config) -> dict[str, str]:
        """The instruments without one complete row; what is null in them, and why."""
        found: dict[str, str] = {}
        for instrument_id, counts in sorted(self._found.items()):
            if counts.complete:
                continue
            most = max(counts.nulls.values())
            first, *others = [name for name in self._features if counts.nulls[name] == most]
            columns = f"{first} and {len(others)} more columns" if others else first
            where = f"all {counts.rows:,}" if most == counts.rows else f"{most:,} of {counts.rows:,}"
            reasons = _reasons(root, config.instrument(instrument_id), counts.dates, first)
            why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
            found[instrument_id] = f"{columns} null in {where} rows ({why})"
        return found


def _reasons(root: DataRoot, instrument: Instrument, dates: list[str], feature: str) -> Counter[str]:
    """Rows by null reason of one feature; computed once more where the table keeps one reason for several windows."""
    if feature in PRESSURE_NAMES:
        stored = [
            read(root.partition(PRESSURE, date, instrument.id)).collect()["null_reason_pressure"] for date in dates
        ]
        return Counter(NullReason(code).name.lower() for code in pl.concat(stored) if code)
    # compiled code, which loading the definitions must not need
    from ml.features.tick.online import OnlineFeatures
    from ml.market.days.tables import samples_array

    found: Counter[str] = Counter()
    position = WHOLE.columns.index(feature)
    for date in dates:
        samples = samples_array(read(root.partition("book_samples", date, instrument.id)).collect())
        online = OnlineFeatures(instrument)
        for i in range(len(samples)):
            online.compute(samples, i)
            code = NullReason(int(online.codes[position]))
            if code:
                found[code.name.lower()] += 1
    return found
