"""`lobforge migrate`: a folder of the predecessor's files into current tables.

Here: one call for all kinds of files, one migration at a time, sources shown to be untouched.
Not here: the kinds (`ml.legacy.samples`, `ml.legacy.patterns`, `ml.legacy.candles`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.legacy import candles, patterns, samples
from ml.legacy.candles import Grid
from ml.legacy.sources import LEFT, Found, find
from ml.storage import commit

KINDS = ("legacy_samples", "legacy_layering", "legacy_candles")


def migrate(
    root: DataRoot,
    folder: Path,
    venue: str,
    grid: Grid | None = None,
    dry_run: bool = False,
    kinds: Sequence[str] = KINDS,
) -> dict[str, Any]:
    """Migrate what lies below a folder and say what became of every row of it.

    Args:
        root: where the tables lie.
        folder: of the predecessor, or any folder or file below it.
        venue: of the instruments, which the predecessor's files do not name.
        grid: times and instruments of bare candle arrays.
        dry_run: only say what would happen.
        kinds: tables to make.

    Raises:
        CaptureError: there is nothing to migrate.
        StoreError: rows do not add up, a source changed meanwhile, or a file could not be stored.
    """
    found = find(folder)
    before = _hashes(found)
    with commit.writer(root, "legacy_migration"):
        tables = {name: _table(name, root, found, venue, grid, dry_run) for name in kinds}
    if _hashes(found) != before:
        raise StoreError(f"{folder}: files changed while they were migrated. Stop their writer and migrate again.")
    return {
        "folder": str(folder),
        "venue": venue,
        "dry_run": dry_run,
        "tables": tables,
        "left": [
            {"reason": reason, "meaning": LEFT[reason], "files": len(names), "first": names[0]}
            for reason, names in sorted(found.left.items())
        ],
        "source_files": len(before),
        "sources_untouched": True,
    }


def _table(name: str, root: DataRoot, found: Found, venue: str, grid: Grid | None, dry_run: bool) -> dict[str, Any]:
    if name == "legacy_samples":
        return samples.migrate(root, found.of("batch", "offline"), venue, dry_run)
    if name == "legacy_layering":
        return patterns.migrate(root, found.of("layering", "statistics"), venue, dry_run)
    return candles.migrate(root, found.of("candles"), grid, dry_run)


def _hashes(found: Found) -> dict[Path, str]:
    paths = [path for sources in found.sources.values() for source in sources for path in source.files.values()]
    return {path: commit.sha256_file(path) for path in sorted(paths)}
