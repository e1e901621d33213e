"""Which files of a folder are the predecessor's, and of what kind.

Here: recognising files by name and place; nothing is opened.
Not here: reading them (`ml.legacy.batches`, `ml.legacy.offline`, `ml.legacy.patterns`, `ml.legacy.candles`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ml.core.errors import CaptureError
from ml.legacy.parts import Source

LEFT = {
    "no_features": "labels or metadata whose array is gone: there is nothing to label",
    "coins": "names of the coins of an array beside it: give them with --candles-symbols",
    "raw_lob": "book snapshots every 5 to 15 s as 32-bit floats: too coarse for events, and prices lost ticks",
    "pickle": "a pickle is never loaded",
    "unknown": "no format of the predecessor",
}
"""Why files are passed over."""
_OFFLINE = re.compile(r"features_\d{6}.*\.parquet")
_LAYERING = re.compile(r"layering_data_.*\.parquet")
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")


@dataclass
class Found:
    """Sources by kind (`batch`, `offline`, `layering`, `statistics`, `candles`), and files left by reason."""

    sources: dict[str, list[Source]] = field(default_factory=dict[str, list[Source]])
    left: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def of(self, *kinds: str) -> list[Source]:
        """Sources of some kinds, by name."""
        return sorted((s for kind in kinds for s in self.sources.get(kind, [])), key=lambda s: s.name)


def find(folder: Path) -> Found:
    """Everything below a folder, or one file.

    Raises:
        CaptureError: there is nothing of that name, or nothing of the predecessor in it.
    """
    if not folder.exists():
        raise CaptureError(f"{folder} does not exist. Name the predecessor's data folder.")
    base = folder if folder.is_dir() else folder.parent
    found = Found()
    for path in _files(folder):
        kind, source = _recognise(base, path)
        if source is not None:
            found.sources.setdefault(kind, []).append(source)
        elif kind:
            found.left.setdefault(kind, []).append(path.relative_to(base).as_posix())
    if not found.sources:
        raise CaptureError(f"{folder} contains none of the predecessor's files. Name its data folder.")
    return found


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    else:
        yield from sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def _recognise(base: Path, path: Path) -> tuple[str, Source | None]:
    """Kind and source, or reason and None; an empty reason for files of another file's source."""
    name = path.name
    relative = path.relative_to(base).as_posix()
    if name.endswith(".npy") and path.parent.name == "features":
        return "batch", _batch(path, relative)
    if path.suffix == ".json" and path.parent.name in ("labels", "metadata"):
        alone = not path.parent.with_name("features").joinpath(f"{path.stem}.npy").exists()
        return ("no_features" if alone else ""), None
    kind = _kind(path)
    return kind, None if kind in LEFT or not kind else Source(kind, relative, {"data": path})


def _kind(path: Path) -> str:
    if path.parent.name.startswith("date=") and _OFFLINE.fullmatch(path.name):
        return "offline"
    if path.name.endswith("_coins.json"):
        return "coins"
    if _LAYERING.fullmatch(path.name):
        return "layering"
    if path.name == "statistics.json":
        return "statistics"
    if path.name.endswith((".npy", ".npy.gz")):
        return "candles"
    if path.suffix in _PICKLES:
        return "pickle"
    return "raw_lob" if {"raw_lob", "raw_lob_labeled"} & set(path.parts) else "unknown"


def _batch(path: Path, relative: str) -> Source:
    folder = path.parent.parent
    files = {"features": path}
    for role in ("labels", "metadata"):
        beside = folder / role / f"{path.stem}.json"
        if beside.exists():
            files[role] = beside
    return Source("batch", relative, files, folder.name)
