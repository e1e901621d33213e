"""Which files a query needs."""

import polars as pl
import pytest

from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP
from ml.feature_store.query import Query
from ml.storage.commit import publish


@pytest.fixture
def stored(root):
    """Two days of two instruments."""
    for date in ("2025-03-03", "2025-03-04"):
        for instrument in ("sim.X", "sim.Y"):
            publish(
                root, FEATURE_GROUP, root.partition(FEATURE_GROUP, date, instrument), pl.DataFrame({"ts": [1]}), "v"
            )
    return root


@pytest.mark.parametrize(
    ("query", "files"),
    [
        (Query(), 4),
        (Query(start="2025-03-04"), 2),
        (Query(end="2025-03-03"), 2),
        (Query(instruments=("sim.X",)), 2),
        (Query(start="2025-03-04", end="2025-03-04", instruments=("sim.Y",)), 1),
    ],
)
def test_dates_and_instruments_choose_files(stored, query, files):
    """Both ends of a range count."""
    assert len(query.entries(stored)) == files


@pytest.mark.parametrize(
    ("query", "told"), [(Query("other"), "nknown feature group"), (Query(start="2030-01-01"), "No file of")]
)
def test_nothing_to_read_is_an_error(stored, query, told):
    """A misspelt group, or dates without data."""
    with pytest.raises(DatasetError, match=told):
        query.entries(stored)
