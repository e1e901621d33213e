"""Early warnings: which episodes they come before, and how long before the last pull."""

import polars as pl
import pytest

from ml.layering.benchmark import leads_of
from ml.layering.detector import EarlyWarning

SECOND = 10**9


def warning(seconds, side="bid"):
    return EarlyWarning(int(seconds * SECOND), side, 0, 3, 3_000, 30.0)


@pytest.mark.parametrize(
    ("warnings", "expected"),
    [
        ([warning(12), warning(14)], [8.0]),
        ([warning(12, "ask")], []),
        ([warning(9.9)], []),
        ([warning(20)], []),
        ([], []),
    ],
    ids=["the first counts", "the other side", "before the first lot", "with the last pull", "none"],
)
def test_a_warning_counts_from_the_first_lot_to_the_last_pull(warnings, expected):
    """Of its side, and only the first one of an episode."""
    truth = pl.DataFrame({"side": [1], "start": [10 * SECOND], "last_pull": [20 * SECOND]})
    assert leads_of(warnings, truth) == expected
