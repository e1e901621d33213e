"""Which archive a file is: by its first line, its name, and nothing else."""

import zipfile

import pytest

from ml.core.errors import FrameError
from ml.market.files import captures, index
from ml.market.files.archives.detect import FORMATS, origin, recognise
from tests.support.scenario import capture, diff
from tests.unit.market.files.archives.files import packed, refused

T = 1_741_000_000_000
GDAX = "side,price,size,time\nbuy,99,1,2018-04-24T03:52:17.202Z\n"


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.zip", "x.txt"])
def test_every_format_is_known_by_its_header(tmp_path, form, name):
    """However packed, whatever the file is called; no header fits two."""
    archive = recognise(packed(tmp_path / name, "# a note\n" + ",".join(form.columns) + "\n"))
    assert (archive.form, archive.above) == (form, 2)
    assert [other.id for other in FORMATS.values() if other.fits(form.columns)] == [form.id]


@pytest.mark.parametrize(
    "text",
    [b"1741000000000000000 {}\n", b'{"t": "recv"}\n', b"", b"\xff\xfe\x00", b"1741000000000,5\n", b"[1]\n", b"{\n"],
)
def test_a_capture_is_no_archive(tmp_path, text):
    """It is left to the collectors' formats."""
    (tmp_path / "x.log").write_bytes(text)
    assert recognise(tmp_path / "x.log") is None


@pytest.mark.parametrize(("name", "text"), [("x.csv", "a,b\n1,2\n"), ("x.zip", "a,b\n"), ("x.csv.gz", "1,2,3\n")])
def test_unknown_columns_are_one_clear_reason(tmp_path, name, text):
    """Which file, and what its first line was."""
    path = packed(tmp_path / name, text)
    ((_, _, error),) = captures.read(path)
    assert error.reason == "unknown_format"
    assert name in error.detail
    assert text.splitlines()[0] in error.detail


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-9]), "truncated"),
        (lambda p: p.write_bytes(b""), "empty"),
        (lambda p: p.write_bytes(p.read_bytes()[:4]), "truncated"),
        (lambda p: zipfile.ZipFile(p, "a").writestr("other.csv", ""), "unknown_format"),
        (lambda p: packed(p, ""), "truncated"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_spoilt_zip_is_one_error_of_its_file(tmp_path, spoil, reason):
    """It is quarantined, not a crash."""
    path = packed(tmp_path / "btcusd_20180424.csv.zip", GDAX)
    spoil(path)
    assert refused(path) in ([reason], ["empty"])


def test_archives_are_found_beside_captures(tmp_path):
    """A folder may hold both; checksums are no data."""
    capture(tmp_path / "a.log", [diff(1, 0, T)])
    for name in ("b.csv", "c.zip", "d.csv.gz"):
        packed(tmp_path / name, GDAX)
    (tmp_path / "c.zip.CHECKSUM").write_text("0 c.zip")
    assert [path.name for path in captures.find(tmp_path)] == ["a.log", "b.csv", "c.zip", "d.csv.gz"]


def test_a_file_in_another_place_is_indexed_again(root, tmp_path):
    """What its name and folders say is no part of its bytes: the kept index would name the old instrument."""
    path = packed(tmp_path / "btcusd_20180424.csv", GDAX)
    assert list(index.load(root, path).instruments) == ["coinbase-spot.BTC-USD"]
    renamed = path.rename(tmp_path / "ethusd_20180424.csv")
    assert list(index.load(root, renamed).instruments) == ["coinbase-spot.ETH-USD"]
    assert index.load(root, renamed) == index.scan(renamed)[0]


def test_the_origin_of_what_is_no_archive_is_empty(tmp_path):
    """A capture's frames come from its bytes alone; an unreadable archive's origin says why."""
    assert origin(capture(tmp_path / "a.log", [diff(1, 0, T)])) == ""
    assert origin(tmp_path / "x.parquet") == ""
    assert "unknown_format" in origin(packed(tmp_path / "x.csv", "a,b\n"))


def test_nothing_of_a_file_with_a_wrong_checksum_is_read(tmp_path):
    """A checksum that is written in capitals is the same."""
    path = packed(tmp_path / "btcusd_20180424.csv.gz", GDAX)
    (tmp_path / (path.name + ".CHECKSUM")).write_text("ABC " + path.name)
    assert refused(path) == ["checksum"]
    (tmp_path / (path.name + ".CHECKSUM")).write_text(index.sha256_file(path).upper() + "\n")
    assert refused(path) == []


def test_an_archive_that_hides_its_symbol_raises_when_asked(tmp_path):
    """Its name must tell."""
    archive = recognise(packed(tmp_path / "x.csv", GDAX))
    with pytest.raises(FrameError, match="no_symbol"):
        archive.origin()
