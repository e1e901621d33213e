"""Arrays from unknown sources."""

import gzip
import io

import numpy as np
import pytest

from ml.core.errors import SourceRefused
from ml.legacy.arrays import load
from tests.support.legacy_files import Hostile


@pytest.mark.parametrize("name", ["a.npy", "a.npy.gz"])
@pytest.mark.parametrize("array", [np.arange(6.0, dtype=np.float32).reshape(2, 3), np.asfortranarray(np.eye(3))[:2]])
def test_numbers_come_back(tmp_path, name, array):
    """In either order of memory, compressed or not."""
    held = io.BytesIO()
    np.save(held, array)
    (tmp_path / name).write_bytes(gzip.compress(held.getvalue()) if name.endswith("gz") else held.getvalue())
    np.testing.assert_array_equal(load(tmp_path / name), array)


def test_objects_are_refused_and_nothing_runs(tmp_path):
    """An array of objects is a pickle: it is never loaded."""
    array = np.empty(3, dtype=object)
    array[:] = Hostile(tmp_path / "marker")
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(SourceRefused) as refused:
        load(tmp_path / "a.npy")
    assert (refused.value.reason, refused.value.rows) == ("object_array", 3)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "bad_array"), (b"\x80\x04pickle", "bad_array"), (b"\x93NUMPY\x01\x00\xff\xff{", "bad_array")],
)
def test_what_is_no_array_is_refused(tmp_path, content, reason):
    """Empty, a bare pickle, a header that is cut off."""
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(SourceRefused) as refused:
        load(tmp_path / "a.npy")
    assert refused.value.reason == reason


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x"])
def test_a_length_other_than_the_headers_is_refused(tmp_path, change):
    """Cut off, or with more behind it."""
    np.save(tmp_path / "a.npy", np.zeros((4, 2)))
    (tmp_path / "a.npy").write_bytes(change((tmp_path / "a.npy").read_bytes()))
    with pytest.raises(SourceRefused) as refused:
        load(tmp_path / "a.npy")
    assert (refused.value.reason, refused.value.rows) == ("truncated", 4)


def test_a_header_that_claims_terabytes_is_not_believed(tmp_path):
    """No memory is taken for it."""
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(held, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 112)})
    (tmp_path / "a.npy").write_bytes(held.getvalue())
    with pytest.raises(SourceRefused, match="claims"):
        load(tmp_path / "a.npy")


def test_text_is_refused(tmp_path):
    """Only numbers are features."""
    np.save(tmp_path / "a.npy", np.array(["a", "b"]))
    with pytest.raises(SourceRefused, match="not numbers"):
        load(tmp_path / "a.npy")
