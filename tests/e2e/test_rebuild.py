"""The same partitions give the same bytes: in other processes, in another order, with other threads.

`tests/integration/assets/test_raw.py` shows it of a partition that is made again in place.
"""

import pytest

from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.storage import commit
from tests.conftest import default_dates
from tests.support.scenario import INSTRUMENT, ingest_elsewhere

DAYS = ["2025-03-03", "2025-03-04"]
TABLES = (
    "raw_frames",
    "book_events",
    "trades",
    "validity",
    "trade_validity",
    "quarantine",
    "candles",
    "book_samples",
    "features",
    "future_labels",
    "training_features",
)


def hashes(root: DataRoot) -> dict[str, str]:
    """Sha256 by relative path over all tables, from the files themselves."""
    return {
        str(path.relative_to(root.root)): commit.sha256_file(path)
        for table in TABLES
        for path in sorted(root.table(table).rglob("*.parquet"))
    }


@pytest.mark.slow
@pytest.mark.promise("B5")
@pytest.mark.parametrize(("days", "threads"), [(DAYS[::-1], 1), (DAYS, 2)])
def test_another_process_another_order_other_threads(ingested, simulated, tmp_path, days, threads):
    """Every file of every table equals the one that this process made, byte for byte."""
    root = DataRoot(tmp_path)
    ingest_elsewhere(root, Config(simulated, *default_dates(), (INSTRUMENT,)), days, threads)
    assert hashes(root) == hashes(ingested)
    assert len(hashes(root)) == len(TABLES) * len(DAYS)
