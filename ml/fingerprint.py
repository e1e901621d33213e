"""Which code made a number: hashes of the sources that a result depends on.

Here: the fingerprint of the kernel (events to samples to features), and of other groups of sources.
Not here: hashes of data (`ml.store`) or of feature sets (`ml.features.sets`).
"""

import hashlib
import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOM = Path(__file__).parent
KERNEL = ("dates.py", "instruments.py", "schemas.py", "market/*.py", "market/venues/*.py", "market/archives/*.py")
"""The whole room, so that no module that is split off can be forgotten."""
FETCHING = ("schemas.py", "sources.py", "partial.py", "download.py", "fetch.py")
CANDLES = ("dates.py", "schemas.py", "candles.py")
FEATURES = (*KERNEL, "features/*.py")
CANDLE_SETS = (*CANDLES, "market/compiled.py", "features/indicators/*.py", "features/unified/*.py", "labels/targets.py")
LABELS = (*KERNEL, "labels/*.py")
LEGACY = (
    "schemas.py", "candles.py", "klines.py", "features/legacy/*_columns.py", "features/legacy/table.py", "legacy/*.py",
    "labels/*.py",
)  # fmt: skip
LEGACY_SETS = (
    *KERNEL, "candles.py", "bars.py", "features/table.py", "features/sets.py", "features/candle_sets.py",
    "features/legacy/*.py", "features/indicators/*.py", "features/unified/columns.py", "features/unified/series.py",
)  # fmt: skip
DATASETS = (*FEATURES, "labels/*.py", "datasets/*.py")
DRIFT = (*FEATURES, "drift.py")
LEARNING = (*DATASETS, "evaluation/*.py", "models/*.py", "training/*.py", "tuning/*.py", "promotion.py")
COMPILED = (*KERNEL, "features/*.py", "features/*/*.py", "labels/*.py", "simulation/*.py")
"""Every room that holds compiled functions; a house test looks for others."""


@cache
def fingerprint(patterns: tuple[str, ...] = FEATURES) -> str:
    """Hex sha256, 16 digits, over the named sources and the compiler's version; comments count."""
    digest = hashlib.sha256(f"numba {version('numba')}".encode())
    for pattern in patterns:
        for path in sorted(ROOM.glob(pattern)):
            digest.update(path.relative_to(ROOM).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def use_compiled(folder: Path) -> None:
    """Keep compiled functions below a folder, apart for each state of their sources; call before they are compiled.

    numba's own cache sees a change in the file of a function, but not in a function of another file that it calls.
    """
    below = folder / fingerprint(COMPILED)
    below.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(below.resolve())
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(below.resolve())
