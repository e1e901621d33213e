"""The files of a model with a manifest of their hashes: what is read is what was saved, and data, never code.

Here: writing, reading and the id that follows from the content.
Not here: what is in the files (`ml.learning.models.trained`, `ml.layering.model`, `ml.layering.adaptive`).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ml.core.errors import ModelRefused
from ml.storage.durable import write_bytes

MANIFEST = "manifest.json"


def save(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name, then the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_bytes(folder / name, content)
    hashes = {name: _sha256(content) for name, content in files.items()}
    write_bytes(folder / MANIFEST, (json.dumps(hashes, sort_keys=True, indent=1) + "\n").encode())


def load(folder: Path, remedy: str) -> dict[str, bytes]:
    """The files of a folder by name.

    Args:
        folder: where they were saved.
        remedy: what to do where they are not whole, a sentence.

    Raises:
        ModelRefused: a file is missing or is not the one that was saved.
    """
    files = dict[str, bytes]()
    try:
        for name, expected in json.loads((folder / MANIFEST).read_bytes()).items():
            files[name] = (folder / name).read_bytes()
            if _sha256(files[name]) != expected:
                raise ModelRefused(f"{folder / name} is not the file that was saved: its hash differs. {remedy}")
    except (OSError, ValueError, AttributeError) as error:
        raise incomplete(folder, error, remedy) from error
    return files


def incomplete(folder: Path, error: Exception, remedy: str) -> ModelRefused:
    """The refusal of a folder whose files do not hold what they should."""
    return ModelRefused(f"The model in {folder} is incomplete: {error!r}. {remedy}")


def identity(files: Mapping[str, bytes]) -> str:
    """Hex sha256, 16 digits, over all files."""
    return _sha256(b"".join(content for _, content in sorted(files.items())))[:16]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
