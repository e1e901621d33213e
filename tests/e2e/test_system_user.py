"""A user as a service manager makes one: no home, and an installation that it cannot write."""

import json
import os
import shutil
import subprocess
import tempfile
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from ml.core.config import Config, render
from ml.core.instruments import Instrument
from ml.storage.durable import write_text
from tests.e2e.demos import LOBFORGE
from tests.support.emulator.server import Emulator
from tests.support.scenario import USDM, capture, diff, snapshot

NOBODY = 65_534
T = 1_741_000_000_000
BTCUSDT = Instrument(USDM, price_decimals=1, size_decimals=3, tick=1, lot=1)


def account():
    """Whose processes they are: another user's if this one may start them, and that one can read the installation."""
    if os.geteuid() != 0:
        return {}
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    given = {"cwd": "/", "env": {"HOME": "/nonexistent"}, "capture_output": True}
    try:
        subprocess.run([LOBFORGE, "--help"], check=True, **given, **other)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("another user cannot read the installation")
    return other


@pytest.fixture
def served():
    """What runs a command as that user, over a data root that is all it can write."""
    folder = Path(tempfile.mkdtemp(prefix="lobforge-system-", dir="/tmp"))  # others cannot enter pytest's folders
    folder.chmod(0o755)
    root = folder / "data"
    root.mkdir()
    other = account()
    if other:
        os.chown(root, NOBODY, NOBODY)
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LOBFORGE_DATA_ROOT": str(root)}

    def run(*arguments):
        return subprocess.run(
            [LOBFORGE, *arguments], cwd="/", env=environment, capture_output=True, text=True, check=False, **other
        )

    yield SimpleNamespace(run=run, root=root, folder=folder)
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_doctor_inspect_and_a_capture_with_a_model_work(served):
    """Compiled code lies in the data root: the first command that needs it says so, the others load it."""
    docs = [diff(2, 1, T, bids=[("99.0", "1")]), snapshot(2, T), diff(3, 2, T + 100, asks=[("102.0", "1")])]
    path = capture(served.folder / "a.log", docs, T + 5, step_ms=100)
    first, second = (served.run("inspect", "--json", str(path)) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert json.loads(first.stdout)["instruments"][USDM]["book_messages"] == 2
    assert f"later runs load it from {served.root}" in first.stderr
    assert "compiling" not in second.stderr
    write_text(
        served.root / "lobforge.toml", render(Config(served.root / "captures", date(2025, 3, 3), None, (BTCUSDT,)))
    )
    assert served.run("init").returncode == 0
    with Emulator("binance-usdm", ["BTCUSDT"]) as emulator:
        told = ["--venue", "binance-usdm", "--symbols", "BTCUSDT", "--mode", "FULL", "--seconds", "8", "--json"]
        done = served.run("capture", *told, *emulator.arguments)
    assert done.returncode == 0, done.stderr
    assert list((served.root / "captures").glob("*.parquet"))
    done = served.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
