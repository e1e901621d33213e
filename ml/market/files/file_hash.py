"""The sha256 of capture files, cached as long as the file system reports an unchanged file.

The content of a file belongs to `ml.market.files.index`, verification of stored files to `ml.storage.verify`.
"""

import hashlib
import json
import os
import time
from pathlib import Path

from ml.core.errors import CaptureError
from ml.core.paths import DataRoot
from ml.storage.commit import sha256_file
from ml.storage.durable import write_text

SETTLED_NS = 2 * 10**9
"""A file changed so lately may change again within one tick of the file system's clock, unseen."""


def content_hash(root: DataRoot, path: Path) -> str:
    """Hex sha256 of a capture file; the file is read only if its inode, size or times differ from those of last time.

    Raises:
        CaptureError: there is no such file.
    """
    if not path.is_file():
        raise CaptureError(f"{path} is not a file. Name capture files, or directories that contain them.")
    kept = root.capture_content(hashlib.sha256(os.fsencode(path.resolve())).hexdigest())
    stamp = _stamp(path)
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["stamp"] == stamp:
            return known["sha256"]
    sha256 = sha256_file(path)
    if _stamp(path) == stamp and time.time_ns() - max(stamp[2:]) > SETTLED_NS:
        write_text(kept, json.dumps({"stamp": stamp, "sha256": sha256}))
    return sha256


def _stamp(path: Path) -> list[int]:
    """The change time is in it, because a copy that keeps the modification time cannot keep that one."""
    seen = path.stat()
    return [seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]
