"""What we rely on in numba: undocumented options of the hot functions, exact integers, and the limits of its cache."""

import os
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
from numba import njit

from ml.market.book.compiled import njit_inline, njit_no_alloc


@njit_no_alloc
def add(total, values):
    for k in range(len(values)):
        total[0] += values[k]


@njit_inline
def merged(values, k):
    return values[k] * 2


@njit_no_alloc
def called(values, k):
    if k < 0:
        raise ValueError
    return values[k] * 2


@njit_no_alloc
def caller(total, values):
    for k in range(len(values)):
        total[0] += merged(values, k) + called(values, k)


@njit_no_alloc
def divide(a, b):
    return a / b


def allocate(n):
    return np.zeros(n)


def test_hot_functions_count_no_references():
    """`_nrt=False` leaves no reference counting in the code of a function that takes arrays; without it there is."""
    plain = njit(add.py_func)
    total = np.zeros(1, np.int64)
    values = np.arange(5)
    for compiled in (add, plain):
        compiled(total, values)
    assert total[0] == 20
    code = {name: "".join(f.inspect_llvm().values()) for name, f in (("hot", add), ("plain", plain))}
    assert "NRT_incref" not in code["hot"]
    assert "NRT" in code["plain"]


def test_hot_functions_may_not_allocate():
    """The option's price: an array made inside is refused when it is compiled, not corrupted when it runs."""
    with pytest.raises(Exception, match=r"(?i)nrt|allocat"):
        njit_no_alloc(allocate)(3)


def test_inline_functions_leave_no_call():
    """What runs for every message is merged into its caller."""
    total = np.zeros(1, np.int64)
    caller(total, np.arange(5))
    assert total[0] == 40
    code = "".join(caller.inspect_llvm().values())
    assert "merged" not in code
    assert "called" in code


@pytest.mark.parametrize(("a", "expected"), [(1.0, np.inf), (-1.0, -np.inf), (0.0, np.nan)])
def test_a_division_by_zero_is_numpys(a, expected):
    """Infinity or NaN, which becomes null with a reason, never an exception in the middle of a day."""
    np.testing.assert_equal(divide(a, 0.0), expected)


def test_the_cache_does_not_see_a_change_in_another_file(tmp_path):
    """That is why compiled functions lie in a folder named by the hash of all sources."""
    (tmp_path / "caller.py").write_text(
        dedent("""
        from numba import njit
        from callee import step
        @njit(cache=True)
        def twice(x): return step(step(x))
    """)
    )
    answers = []
    for amount in (1, 10):
        (tmp_path / "callee.py").write_text(f"from numba import njit\n@njit\ndef step(x): return x + {amount}\n")
        done = subprocess.run(
            [sys.executable, "-c", "import caller; print(caller.twice(0))"],
            cwd=tmp_path,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(int(done.stdout))
    assert answers == [2, 2]
