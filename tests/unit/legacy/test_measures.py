"""What is measured of a source's rows."""

import polars as pl
import pytest

from ml.legacy.columns import ROWS
from ml.legacy.parts import judge_scale, ranges


def rows(features, prices):
    """Rows with one feature and a price, before they are judged."""
    given = pl.DataFrame(
        {"mid_price": features, "current_mid_price": prices},
        schema=dict.fromkeys(("mid_price", "current_mid_price"), pl.Float64),
    )
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in ROWS.items() if name not in given.columns]
    return (
        given.with_columns(lacking)
        .with_columns(instrument=pl.lit("v.X"))
        .select(name for name in ROWS if name != "features_scaled")
    )


@pytest.mark.parametrize(
    ("features", "prices", "scaled"),
    [
        ([100.0, 101.0], [100.0, 101.0], False),
        ([100.05, 101.0], [100.0, 101.0], False),
        ([-0.3, 1.2], [100.0, 101.0], True),
        ([100.0, 101.0, 0.1], [100.0, 101.0, 100.0], False),
        ([100.0], [None], None),
    ],
)
def test_a_scaler_is_told_by_the_price(features, prices, scaled):
    """By the median: one odd row decides nothing; without a price nothing is said."""
    judged, verdicts = judge_scale(rows(features, prices))
    assert judged["features_scaled"].unique().to_list() == [scaled]
    assert verdicts["v.X"]["scaled"] is scaled


def test_ranges_name_what_is_there():
    """Least and largest of each column that has a value."""
    found = ranges(rows([1.0, 3.0, None], [2.0, 5.0, 4.0]))
    assert found["ranges"] == {"current_mid_price": [2.0, 5.0], "mid_price": [1.0, 3.0]}
