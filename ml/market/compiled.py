"""How the hot functions are compiled.

Here: the decorator, and the folder that keeps what was compiled.
Not here: the functions.
"""

import os
from pathlib import Path

from numba import config, njit

hot = njit(cache=True, _nrt=False)
"""Compile without numba's reference counting of array arguments: such a function must not allocate.

Counting costs about 100 ns for each call that takes the kernel's state, 20 times the work of a level update; without
it the calls are inlined. The option is numba's own but undocumented; `tests/upstream` pins it.
"""


def keep_compiled(folder: Path) -> None:
    """Keep compiled functions in a folder of this data root, named by the kernel's fingerprint.

    numba's own cache sees a change in the file of a function, but not in a function of another file that it calls.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    config.CACHE_DIR = str(folder)
