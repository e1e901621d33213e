"""Running `lobforge demo` as a user does, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ml.core.paths import DataRoot

LOBFORGE = str(Path(sys.executable).with_name("lobforge"))


def run(base: Path, root: DataRoot, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Return code, the last line as JSON, and standard error of a demo over `base`, whose data root will be `root`.

    Compiled kernels are shared with the other tests, because compiling takes longer than the short demos.
    """
    done = subprocess.run(
        [LOBFORGE, "demo", "--json", *arguments],
        env=os.environ | {"LOBFORGE_DATA_ROOT": str(base)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines, done.stderr[-3_000:]
    return done.returncode, json.loads(lines[-1]), done.stderr
