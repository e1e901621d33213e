"""`lobforge` on a disk that takes three megabytes per second, with room for four to wait: `python -m`, as `cli`."""

import time
from functools import partial

from cli.__main__ import main
from live import service
from ml.capture.journal import Journal
from ml.capture.recorder import Recorder

RATE = 3 << 20
QUEUE = 4 << 20
_write = Journal.write


def slow(journal: Journal, rendered: bytes) -> None:
    """Write records, as slowly as the disk does."""
    _write(journal, rendered)
    time.sleep(len(rendered) / RATE)


if __name__ == "__main__":
    Journal.write = slow
    service.Recorder = partial(Recorder, queue_bytes=QUEUE)
    main()
