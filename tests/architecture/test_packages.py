"""Packages: imports go one way, each outside system has one adapter, nothing heavy is imported before it is used."""

import subprocess
import sys
import tomllib
from shutil import copy, copytree, ignore_patterns

import pytest

from tests.architecture.sources import PACKAGES, PROJECT

CONTRACTS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(folder):
    """What import-linter says of the sources in a folder."""
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sources_copy(tmp_path_factory):
    """A copy of the product's sources that a test may spoil."""
    folder = tmp_path_factory.mktemp("sources_copy")
    for package in PACKAGES:
        copytree(PROJECT / package, folder / package, ignore=ignore_patterns("__pycache__"))
    copy(PROJECT / "pyproject.toml", folder)
    return folder


def test_nothing_is_imported_upwards_or_sideways():
    """Every contract of pyproject.toml holds."""
    answer = lint(PROJECT)
    assert answer.returncode == 0, answer.stdout[answer.stdout.find("Contracts") :]
    assert f"{len(CONTRACTS)} kept, 0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        ("ml/market/stray.py", "import pipelines.jobs", "ml knows neither its callers"),
        ("ml/market/stray.py", "import dagster", "ml knows neither its callers"),
        ("pipelines/stray.py", "from cli import console", "cli > pipelines"),
        ("ml/market/stray.py", "from cli import console", "ml knows neither its callers"),
        ("assets/stray.py", "from pipelines import jobs", "cli > pipelines"),
        ("live/stray.py", "import assets.raw", "live imports ml only"),
        ("live/stray.py", "import dagster", "live imports ml only"),
        ("ml/features/stray.py", "from ml.labels import spec", "the layers of ml"),
        ("ml/market/stray.py", "from ml.learning import dataset", "the layers of ml"),
        ("ml/stray.py", "", "the layers of ml"),
        ("assets/stray.py", "import mlflow", "mlflow has one adapter"),
        ("ml/learning/stray.py", "import optuna", "optuna has one adapter"),
        ("live/stray.py", "import ccxt", "ccxt has one adapter"),
    ],
)
def test_a_stray_import_breaks_its_contract(sources_copy, path, line, contract):
    """The contracts are no decoration: each kind of forbidden arrow, and a package without a layer, is seen."""
    stray = sources_copy / path
    stray.write_text(f'"""Stray."""\n\n{line}\n')
    answer = lint(sources_copy)
    stray.unlink()
    assert answer.returncode == 1
    shown = [line for line in answer.stdout.splitlines() if line.startswith(contract)]
    assert shown, answer.stdout
    assert not shown[0].endswith("KEPT")


@pytest.mark.parametrize("module", ["cli.__main__", "cli.inspect", "cli.live", "live.service"])
def test_capture_and_live_import_no_orchestrator(module):
    """What live loads and runs on needs neither Dagster nor what is built on it."""
    code = f"import sys, {module}; print({{'dagster', 'assets', 'pipelines', 'mlflow'}} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
