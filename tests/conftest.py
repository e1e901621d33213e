"""Shared fixtures: recorded market files, simulated captures, and a data root for code that needs one at import.

`make test` draws the same property examples at each run, so that it fails for a change alone; `make test-slow` looks
for new ones.
"""

import os
from pathlib import Path
from tempfile import mkdtemp

import hypothesis
import pytest

from ml.core import settings
from ml.core.config import Config, render
from ml.core.paths import DataRoot
from ml.storage.durable import write_text
from tests.support.precompile import precompile
from tests.support.shared import made_once

PROJECT = Path(__file__).parents[1]

hypothesis.settings.register_profile("same", derandomize=True, deadline=None, max_examples=30)
hypothesis.settings.register_profile("explore", print_blob=True, deadline=None, max_examples=300)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser):
    """The option that makes a run write what became of the promises."""
    parser.addoption("--write-golden", action="store_true", help="write the outputs on record for tests/golden")
    parser.addoption("--write-promises", action="store_true", help="write results of marked tests to docs/promises.md")


def pytest_configure(config):
    """Keep compiled kernels for the next run; give the definitions the data root that they need when imported."""
    if config.getoption("--write-promises") and not hasattr(config, "workerinput"):
        from tests.support.promises import Scribe

        config.pluginmanager.register(Scribe())
    os.environ["LOBFORGE_CACHE_DIR"] = str(PROJECT / ".numba_cache")
    if config.getoption("numprocesses", None):
        precompile()
    from pipelines.demo import default_config

    root = DataRoot(Path(mkdtemp(prefix="lobforge-test-")))
    write_text(root.config, render(default_config()))
    os.environ["LOBFORGE_DATA_ROOT"] = str(root.root)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


TOGETHER = ("tests/integration/assets/", "tests/integration/pipelines/")
"""Folders whose tests share what one run of the graph makes: one worker runs them."""
FIRST = (
    "tests/integration/assets/",
    "tests/integration/cli/",
    "tests/integration/pipelines/",
    "tests/integration/live/",
    "tests/e2e/",
)
"""Folders of long tests, which are begun first, so that no worker is left with one at the end.

While one worker compiles what the assets need, the other waits for captures, which need no kernel.
"""


def pytest_collection_modifyitems(items):
    """Long tests first; else as collected, which is the same for every worker."""
    ranks = {folder: rank for rank, folder in enumerate(FIRST)}
    items.sort(key=lambda item: next((rank for folder, rank in ranks.items() if item.nodeid.startswith(folder)), 9))


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config, log):
    """A file, or a folder whose tests belong together, stays with its worker; in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.split("::")[0])

    config.option.loadscopereorder = False
    return Scheduler(config, log)


@pytest.fixture(scope="session")
def market() -> Path:
    """The folder of recorded market files; tests that need it are skipped where it is absent."""
    folder = settings.load().test_data or PROJECT.parent / "shared" / "data" / "market"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED MARKET DATA at {folder}: set LOBFORGE_TEST_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """Captures of a simulated market from 21:30 to 00:40 UTC, one file per hour, with an outage of 5 s at 23:40:10."""
    from tests.support.scenario import simulated_captures

    return made_once(tmp_path_factory, "captures", simulated_captures)


@pytest.fixture
def root(tmp_path) -> DataRoot:
    """An empty data root."""
    return DataRoot(tmp_path / "data")


@pytest.fixture(scope="session")
def ingested(simulated, tmp_path_factory) -> DataRoot:
    """A data root into which the simulated captures were ingested by Dagster, both days."""
    from tests.support.scenario import INSTRUMENT, ingest

    configuration = Config(simulated, default_dates()[0], default_dates()[1], (INSTRUMENT,))
    dates = ["2025-03-03", "2025-03-04"]
    return DataRoot(
        made_once(tmp_path_factory, "ingested", lambda folder: ingest(DataRoot(folder), configuration, dates))
    )


def default_dates():
    """First and last date of the default configuration, which is that of the simulated captures."""
    from pipelines.demo import default_config

    return default_config().first_date, default_config().last_date
