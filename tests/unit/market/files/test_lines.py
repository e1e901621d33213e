"""Lines of files, whatever their compression, whole or torn."""

import gzip
import io
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.market.files.lines import lines

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
    assert error.reason == "truncated"
    assert all(line.endswith(b"\n") for _, line in read)
    whole = b"".join(line for _, line in read)
    assert TEXT.startswith(whole + line)


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


def test_a_gzip_gives_all_it_holds_before_it_is_torn(tmp_path):
    """Not less than Python's own reader gives; the last line is torn, and is kept as it is."""
    (tmp_path / "x").write_bytes(gzip.compress(TEXT)[:-300])
    own = zlib.decompressobj(wbits=31).decompress((tmp_path / "x").read_bytes())
    *read, (offset, torn, _) = lines(tmp_path / "x")
    assert b"".join(line for _, line in read) + torn == own
    assert offset == len(own) - len(torn)


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    st.sampled_from([b"", b"\0", b"\0" * 70_000]),
    st.integers(1, 50),
)
def test_gzip_members_and_padding_read_as_the_gzip_module_reads_them(tmp_path_factory, texts, padding, repeated):
    """Several members in a row are one text; zeros behind the last are nothing."""
    path = tmp_path_factory.mktemp("gz") / "x"
    path.write_bytes(b"".join(gzip.compress(text * repeated) for text in texts) + padding)
    found = b"".join(line for _, line, *error in lines(path) if not error)
    assert found == gzip.decompress(path.read_bytes())


def test_what_stands_behind_a_gzip_member_is_an_error(tmp_path):
    """All of the text, then the error."""
    (tmp_path / "x").write_bytes(gzip.compress(TEXT) + b"garbage")
    *read, (_, _, error) = lines(tmp_path / "x")
    assert (b"".join(line for _, line in read), error.reason) == (TEXT, "truncated")


@pytest.mark.parametrize("text", [b"no end of line", b"\r\r\nx\n\n", b"x" * 3_000_000 + b"\nlast"])
def test_lines_end_at_line_feeds_alone(tmp_path, text):
    """Whatever their length, with or without a last line feed."""
    (tmp_path / "x").write_bytes(text)
    assert [line for _, line in lines(tmp_path / "x")] == io.BytesIO(text).readlines()


def test_an_empty_file_is_an_error(tmp_path):
    """An empty file is a fact, not a crash."""
    (tmp_path / "x").touch()
    ((offset, _, error),) = lines(tmp_path / "x")
    assert (offset, error.reason) == (0, "empty")
