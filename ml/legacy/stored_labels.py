"""Labels as the sources hold them: directions were written as -1, 0, 1 by one script and as 0, 1, 2 by another.

Here: which code a file uses, and its directions as 0 down, 1 neutral, 2 up.
Not here: labels computed again (`ml.labels.asof`).
"""

import polars as pl

from ml.labels.classes import fixed_direction
from ml.legacy.columns import HORIZONS, STORED

CODES = {"-1/0/1": 1, "0/1/2": 0}
"""What is to be added to a code to make it ours."""


def normal_codes(raw: pl.DataFrame) -> tuple[dict[str, pl.Series], str]:
    """Columns of `STORED`, and the code: `-1/0/1`, `0/1/2`, `ambiguous`, `bad` or `none`.

    Stored movements decide the code of a file that holds no other codes than 0 and 1. Directions are null where the
    code is ambiguous or bad: they are computed from prices in any case, and the sources stay.

    Args:
        raw: the columns `LABELS`, float64 without NaN.
    """
    movements = {h: raw[f"future_movement_{h}s"] for h in HORIZONS}
    codes = {h: raw[f"future_direction_{h}s"] for h in HORIZONS}
    code = _code(codes, movements)
    columns: dict[str, pl.Series] = {}
    for h in HORIZONS:
        shifted = codes[h] + CODES[code] if code in CODES else pl.repeat(None, raw.height, dtype=pl.Float64, eager=True)
        columns[f"legacy_movement_{h}s"] = movements[h]
        columns[f"legacy_direction_{h}s"] = shifted.cast(pl.Int8, strict=False)
    return {name: columns[name] for name in STORED}, code


def _code(codes: dict[int, pl.Series], movements: dict[int, pl.Series]) -> str:
    seen = set(pl.concat(list(codes.values())).drop_nulls().to_list())
    if not seen:
        return "none"
    if not seen <= {-1.0, 0.0, 1.0, 2.0} or {-1.0, 2.0} <= seen:
        return "bad"
    if -1.0 in seen:
        return "-1/0/1"
    if 2.0 in seen:
        return "0/1/2"
    fitting = [code for code, shift in CODES.items() if _fits(codes, movements, shift)]
    return fitting[0] if len(fitting) == 1 else "ambiguous"


def _fits(codes: dict[int, pl.Series], movements: dict[int, pl.Series], shift: int) -> bool:
    """Whether every direction is what its stored movement says."""
    expected = fixed_direction(pl.col("movement"))
    both = [pl.DataFrame({"code": codes[h], "movement": movements[h]}) for h in HORIZONS]
    told = pl.concat(both).drop_nulls()
    return told.height > 0 and bool(told.select((pl.col("code") + shift == expected).all()).item())
