"""The Dagster UI of a data root, served as users start it, and a page of headless Chromium that looks at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import pytest

LOBFORGE = str(Path(sys.executable).with_name("lobforge"))


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of the UI; the server is stopped with all its children."""
    port = free_port()
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root)}
    command = [LOBFORGE, "ui", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    deadline = monotonic() + 120
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


@contextmanager
def opened(address: str) -> Iterator[Any]:
    """A page of headless Chromium, the system's own or Playwright's."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"NO BROWSER: install Chromium, or run `playwright install chromium` ({error})")
        yield browser.new_page(base_url=address, viewport={"width": 1600, "height": 1000})
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
