"""The Dagster UI in a real browser: the graph with its groups, a plot, and one asset materialized by hand."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from urllib.request import urlopen

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LOBFORGE = str(Path(sys.executable).with_name("lobforge"))
GROUPS = ("raw", "samples", "features", "labels", "dataset", "training", "validation", "promotion")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The UI over the data root of a short demo; the server is stopped with all its children."""
    base = tmp_path_factory.mktemp("ui")
    subprocess.run(
        [LOBFORGE, "demo", "--hours", "0.2", "--json"],
        env=os.environ | {"LOBFORGE_DATA_ROOT": str(base)}, check=True, capture_output=True,
    )  # fmt: skip
    (root,) = (base / "variants").iterdir()
    port = _free_port()
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root)}
    command = [LOBFORGE, "ui", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    url, deadline = f"http://127.0.0.1:{port}", monotonic() + 120
    while True:
        try:
            urlopen(f"{url}/server_info", timeout=2).close()  # noqa: S310
            break
        except OSError:
            assert monotonic() < deadline, "the UI did not start within two minutes"
            sleep(0.5)
    yield url
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(60)


@pytest.fixture(scope="module")
def page(address):
    """A page of headless Chromium, the system's own or Playwright's."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"NO BROWSER: install Chromium, or run `playwright install chromium` ({error})")
        yield browser.new_page(base_url=address, viewport={"width": 1600, "height": 1000})
        browser.close()


def test_the_graph_shows_every_group(page):
    """The lineage page names the eight groups."""
    page.goto("/asset-groups")
    for group in GROUPS:
        page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)


def test_a_partition_shows_its_plot(page):
    """The depth heat-map is in the metadata of a materialized day."""
    page.goto("/assets/book_samples?view=partitions&partition=2025-03-03%7Csim.SIMUSDT")
    page.get_by_text("Show Markdown").first.click(timeout=60_000)
    image = page.locator("img[src^='data:image/png;base64']").first
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
