"""Decorators of compiled functions.

The folder of compiled code belongs to `ml.core.kernel_cache`.
"""

from typing import Any

from numba import njit

from ml.core import kernel_cache

_KEPT = kernel_cache.folder() is not None
_OPTIONS: dict[str, Any] = {"cache": _KEPT, "_nrt": False, "error_model": "numpy", "nogil": True}
njit_no_alloc: Any = njit(**_OPTIONS)
"""Compile without numba's reference counting of array arguments: such a function must not allocate.

Counting costs about 100 ns for each call that takes the kernel's state, 20 times the work of a level update; without
it the calls are inlined. The option is numba's own but undocumented; `tests/upstream` pins it. A division by zero
gives NaN or infinity, as numpy does, instead of an error; feature rows make NaN null. Other threads run meanwhile.
"""
njit_inline: Any = njit(**_OPTIONS, inline="always")
"""The same, merged into its caller: for what runs once a message, where a call with the state costs 50 ns."""
plain: Any = njit(cache=_KEPT)
"""Compile a function that allocates, with numba's usual arithmetic."""
