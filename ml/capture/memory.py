"""Memory that a backlog took, given back to the system once it is written.

Here: the one call that does it. Not here: when (`ml.capture.recorder`).

glibc keeps what is freed below its last piece in use: a queue that was full once would count as 60 MB for ever.
"""

import ctypes


def give_back() -> bool:
    """Return free pages of the heap; False where the C library has no way to."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
