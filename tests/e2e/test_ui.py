"""The Dagster UI in a real browser: the graph with its groups, a plot, and one asset materialized by hand."""

import os
import re
import subprocess
from time import monotonic, sleep

import pytest

from tests.e2e.browser import LOBFORGE, opened, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
GROUPS = ("raw", "samples", "features", "labels", "dataset", "training", "validation", "promotion")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of the UI over the data root of a short demo."""
    base = tmp_path_factory.mktemp("ui")
    subprocess.run(
        [LOBFORGE, "demo", "--hours", "0.2", "--json"],
        env=os.environ | {"LOBFORGE_DATA_ROOT": str(base)},
        check=True,
        capture_output=True,
    )
    (root,) = (base / "variants").iterdir()
    with served(root) as address, opened(address) as page:
        yield page


def test_the_graph_shows_every_group(page):
    """The lineage page names the eight groups."""
    page.goto("/asset-groups")
    for group in GROUPS:
        page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)


def test_a_partition_shows_its_plot(page):
    """The depth heat-map is in the metadata of a materialized day."""
    page.goto("/assets/book_samples?view=partitions&partition=2025-03-03%7Csim.SIMUSDT")
    page.get_by_text("Show Markdown").first.click(timeout=60_000)
    image = page.locator("img[src^='data:image/webp;base64']").first
    image.wait_for(timeout=60_000)
    assert image.evaluate("picture => picture.naturalWidth") > 300


def test_an_asset_is_materialized_by_hand(page):
    """A click on Materialize starts a run that ends in success."""
    page.goto("/assets/parity_report")
    page.get_by_role("button").filter(has_text=re.compile("^Materialize")).first.click(timeout=60_000)
    page.get_by_text("Launched run").wait_for(timeout=60_000)
    deadline = monotonic() + 180
    while (latest := _latest_run(page)) != {"status": "SUCCESS", "assetSelection": [{"path": ["parity_report"]}]}:
        assert latest["status"] != "FAILURE"
        assert monotonic() < deadline, latest
        sleep(1)


def _latest_run(page) -> dict:
    query = "{runsOrError(limit: 1) {... on Runs {results {status assetSelection {path}}}}}"
    answer = page.request.post("/graphql", data={"query": query}).json()
    return answer["data"]["runsOrError"]["results"][0]
