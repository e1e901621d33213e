"""The online store: the newest feature row of each instrument, written by the live runner, readable by any program.

Here: writing a row in place of the one before, reading it with its times and null reasons.
Not here: rows of stored days (`rows`), computing them (`ml.features.tick.online`).

    from ml.feature_store.latest import newest

    row = newest(root, "bybit-linear.BTCUSDT", max_age=5 * 10**9)
    row.values["qi_1"], row.reasons["book"], row.age()

An instrument has one JSON file, replaced by renaming a new one over it: a reader in any language has the newest row or
the one before it, never parts of both, and neither waits for the other. Nothing is synced to disk, since the next row
comes in a second. A file outlives its writer: the row says how old it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import time_ns

import numpy as np
import orjson

from ml.core.errors import DatasetError, StoreError
from ml.core.paths import DataRoot
from ml.tables.schemas import NullReason

REASONS = {int(reason): reason.name.lower() if reason else None for reason in NullReason}


@dataclass(frozen=True)
class Row:
    """The newest row of an instrument.

    Args:
        instrument: its id.
        feature_set: name of the set.
        feature_set_hash: which a model's card must hold, for the model to understand the row.
        ts: end of the second that it describes, ns UTC of the venue's clock.
        recv_ts: when the frame came that closed that second, ns UTC of ours.
        written_ts: when the row was written, ns UTC of ours.
        values: by feature; None where it has none.
        reasons: by family why its first null is one; None where it has none.
    """

    instrument: str
    feature_set: str
    feature_set_hash: str
    ts: int
    recv_ts: int
    written_ts: int
    values: dict[str, float | None]
    reasons: dict[str, str | None]

    def age(self, now: int | None = None) -> int:
        """Ns from the second that it describes until now, or until `now` (ns UTC)."""
        return (time_ns() if now is None else now) - self.ts


class NewestWriter:
    """Puts an instrument's newest row in the place of the one before; one writer per instrument.

    Args:
        root: where the store lies.
        instrument: id of whose rows.
        feature_set: name and hash of the set.
        columns: features in the order of the values.
        families: families in the order of the reasons.
    """

    def __init__(
        self,
        root: DataRoot,
        instrument: str,
        feature_set: tuple[str, str],
        columns: Sequence[str],
        families: Sequence[str],
    ) -> None:
        self._path = root.newest(instrument)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._next = self._path.with_suffix(".next")
        self._about = {"instrument": instrument, "feature_set": feature_set[0], "feature_set_hash": feature_set[1]}
        self._columns = list(columns)
        self._families = list(families)

    def put(self, ts: int, recv_ts: int, values: np.ndarray, reasons: np.ndarray) -> None:
        """Write a row: values f64 (columns,), NaN for null; reasons u8 (families,), codes of `NullReason`.

        Raises:
            ValueError: there are not as many values as columns, or reasons as families.
        """
        row = self._about | {
            "ts": ts,
            "recv_ts": recv_ts,
            "written_ts": time_ns(),
            "values": dict(zip(self._columns, values.tolist(), strict=True)),
            "reasons": {name: REASONS[code] for name, code in zip(self._families, reasons.tolist(), strict=True)},
        }
        self._next.write_bytes(orjson.dumps(row))
        self._next.replace(self._path)


def newest(root: DataRoot, instrument: str, max_age: int | None = None) -> Row:
    """The newest row of an instrument.

    Args:
        root: where the store lies.
        instrument: its id.
        max_age: ns that the row may be old; None takes any, and the caller looks at its age.

    Raises:
        DatasetError: no row was ever written, or it is older.
        StoreError: the file holds no row, as after a power cut.
    """
    path = root.newest(instrument)
    try:
        row = Row(**orjson.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise DatasetError(_nobody(root, instrument)) from error
    except (orjson.JSONDecodeError, TypeError) as error:
        raise StoreError(
            f"{path.relative_to(root.root)} contains no complete row. The next row replaces it."
        ) from error
    if max_age is not None and row.age() > max_age:
        raise DatasetError(
            f"{instrument}: its newest row is {row.age() / 1e9:.1f} s old, not at most {max_age / 1e9:g} s. "
            "Check that its capture is running, and run `lobforge gaps`."
        )
    return row


def published(root: DataRoot) -> list[str]:
    """Instruments that have a newest row, sorted."""
    first, last = root.newest("*").name.split("*")
    found = root.newest("*").parent.glob(f"{first}*{last}")
    return sorted(path.name.removeprefix(first).removesuffix(last) for path in found)


def _nobody(root: DataRoot, instrument: str) -> str:
    known = ", ".join(published(root)) or "none"
    return f"{instrument} has no newest row (there are rows of: {known}). Run `lobforge capture --mode FULL` with it."
