"""Which code a file's directions are in."""

import polars as pl
import pytest

from ml.legacy.columns import LABELS
from ml.legacy.labelling import normal_codes


def raw(directions, movements=None):
    columns = {"future_direction_10s": pl.Series(directions, dtype=pl.Float64)}
    if movements is not None:
        columns["future_movement_10s"] = pl.Series(movements, dtype=pl.Float64)
    lacking = [pl.lit(None, pl.Float64).alias(name) for name in LABELS if name not in columns]
    return pl.DataFrame(columns).with_columns(lacking)


@pytest.mark.parametrize(
    ("directions", "movements", "code", "expected"),
    [
        ([-1, 0, 1], None, "-1/0/1", [0, 1, 2]),
        ([0, 1, 2], None, "0/1/2", [0, 1, 2]),
        ([0, 1, None], [0.0, 0.002, None], "-1/0/1", [1, 2, None]),
        ([0, 1, None], [-0.002, 0.0, None], "0/1/2", [0, 1, None]),
        ([0, 1], None, "ambiguous", [None, None]),
        ([0, 1], [0.0, 0.0], "ambiguous", [None, None]),
        ([None, None], None, "none", [None, None]),
        ([-1, 2], None, "bad", [None, None]),
        ([0.5, 1], None, "bad", [None, None]),
    ],
)
def test_a_code_is_told_by_its_values_or_its_movements(directions, movements, code, expected):
    """-1 or 2 decide; else the stored movements do; else nothing is guessed."""
    columns, found = normal_codes(raw(directions, movements))
    assert found == code
    assert columns["legacy_direction_10s"].to_list() == expected
    assert columns["legacy_direction_300s"].null_count() == len(directions)


def test_a_horizon_decides_for_the_others():
    """A file was written by one script."""
    frame = raw([0, 1]).with_columns(future_direction_30s=pl.Series([-1.0, 0.0]))
    columns, _ = normal_codes(frame)
    assert columns["legacy_direction_10s"].to_list() == [1, 2]
