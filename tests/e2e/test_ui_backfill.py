"""A backfill over dates x instruments, launched in the Dagster UI as a user does of raw frames."""

from dataclasses import replace
from datetime import date
from time import monotonic, sleep
from typing import Any

import pyarrow as pa
import pytest

from ml.core.config import Config, render
from ml.simulation.instrument import INSTRUMENT
from ml.storage.durable import write_text
from tests.e2e.browser import opened, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DATES = ("2025-03-03", "2025-03-04")
BACKFILL = "{partitionBackfillsOrError(limit: 1) {... on PartitionBackfills {results {status numPartitions}}}}"
STORED = '{assetNodeOrError(assetKey: {path: ["raw_frames"]}) {... on AssetNode {partitionStats {numMaterialized}}}}'


@pytest.fixture
def two_instruments(root, simulated, tmp_path):
    """A data root over the captures of a market and of its twin under another name."""
    twin = replace(INSTRUMENT, id="sim.SIMUSDC")
    captures = tmp_path / "captures"
    captures.mkdir()
    for file in sorted(simulated.iterdir()):
        (captures / file.name).symlink_to(file)
        lines = pa.input_stream(str(file), compression="zstd").read()
        renamed = lines.replace(b"SIMUSDT", b"SIMUSDC").replace(b"simusdt", b"simusdc")
        (captures / f"twin_{file.stem}").write_bytes(renamed)
    dates = [date.fromisoformat(day) for day in DATES]
    write_text(root.config, render(Config(captures, *dates, (INSTRUMENT, twin))))
    return root


def test_every_date_of_every_instrument(two_instruments):
    """All dates and all instruments are chosen in the dialog, and every partition is stored in the end."""
    with served(two_instruments.root) as address, opened(address) as page:
        page.goto("/assets/raw_frames")
        page.get_by_role("button").filter(has_text="Materialize").first.click(timeout=60_000)
        every = page.get_by_role("button", name="All", exact=True)
        every.first.click()
        every.last.click()
        page.get_by_role("button", name="Launch backfill").click()
        deadline = monotonic() + 600
        while (latest := _asked(page, BACKFILL)["partitionBackfillsOrError"]["results"]) == [] or (
            latest[0]["status"] != "COMPLETED_SUCCESS"
        ):
            assert not latest or latest[0]["status"] == "REQUESTED", latest
            assert monotonic() < deadline, latest
            sleep(1)
        assert latest[0]["numPartitions"] == 4
        assert _asked(page, STORED)["assetNodeOrError"]["partitionStats"] == {"numMaterialized": 4}


def _asked(page: Any, query: str) -> dict[str, Any]:
    return page.request.post("/graphql", data={"query": query}).json()["data"]
