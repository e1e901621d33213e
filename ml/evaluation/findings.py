"""What checks of a pipeline found, as it is stored: light, so that definitions load without compiled code.

Not here: the checks (`ml.evaluation.canaries`, `ml.evaluation.parity`), what follows from them (`ml.evaluation.gates`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Canary:
    """One canary: `value` is what was measured, `limit` what it may be at most, `detail` says of what."""

    name: str
    passed: bool
    value: float
    limit: float
    detail: str


@dataclass(frozen=True)
class ParityReport:
    """Rows compared, rows with values, rows that differ, and time, column and both values of the first of them."""

    rows: int
    rows_with_values: int
    mismatches: int
    first_mismatch: str
