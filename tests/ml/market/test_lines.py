"""Lines of files, whatever their compression, whole or torn."""

import gzip
import zipfile

import pytest

from ml.market.lines import lines

TEXT = b"".join(b"%d,row\n" % k for k in range(20_000))


def zipped(path, **members):
    """A zip of the given members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_zip_gives_the_lines_of_its_member(tmp_path):
    """With the offsets in the member's text."""
    found = list(lines(zipped(tmp_path / "x.zip", a=TEXT)))
    assert b"".join(line for _, line in found) == TEXT
    assert found[1][0] == len(found[0][1])


@pytest.mark.parametrize("pack", [lambda p, d: zipped(p, a=d).read_bytes(), lambda p, d: gzip.compress(d)])
def test_what_ends_in_the_middle_says_so(tmp_path, pack):
    """A gzip gives what could be read; a zip has its list at the end, without which nothing is believed."""
    path = tmp_path / "x"
    path.write_bytes(pack(path, TEXT)[:-300])
    *read, (_, line, error) = lines(path)
    assert (line, error.reason) == (b"", "truncated")
    assert b"".join(line for _, line in read) == TEXT[: sum(len(line) for _, line in read)]


def test_a_changed_byte_in_a_zip_is_seen_by_its_own_checksum(tmp_path):
    """What was read stands, then comes the error."""
    path = zipped(tmp_path / "x.zip", a=TEXT)
    data = bytearray(path.read_bytes())
    data[14] ^= 0xFF
    at = data.rindex(b"PK\x01\x02") + 16
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    assert list(lines(path))[-1][2].reason == "truncated"


@pytest.mark.parametrize("members", [{}, {"a": b"1", "b": b"2"}])
def test_a_zip_of_any_other_number_of_files_is_refused(tmp_path, members):
    """Which of them would be meant?"""
    path = zipped(tmp_path / "x.zip", **members)
    ((_, _, error),) = lines(path)
    assert error.reason in ("unknown_format", "truncated")


def test_an_empty_file_is_an_error(tmp_path):
    """An empty file is a fact, not a crash."""
    (tmp_path / "x").touch()
    ((offset, _, error),) = lines(tmp_path / "x")
    assert (offset, error.reason) == (0, "empty")
