"""The main job as a user runs it, on a fresh data root and again on the same: whole processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter


def measure() -> dict[str, float]:
    """Seconds of `lobforge demo` cold (nothing compiled, nothing stored) and warm."""
    command = [str(Path(sys.executable).with_name("lobforge")), "demo", "--json"]
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            started = perf_counter()
            done = subprocess.run(
                command, env=os.environ | {"LOBFORGE_DATA_ROOT": folder}, check=True, capture_output=True, text=True
            )
            found[name] = perf_counter() - started
            assert json.loads(done.stdout.splitlines()[-1])["decision"] == "promote"
    return found
