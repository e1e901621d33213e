"""One file over a connection that fails: what is kept, what is asked again, what is refused. The server is local."""

import random
import time

import pytest

from ml.archives import download, download_state
from ml.archives.download_state import Part
from ml.core.errors import SettingsError, StoreError, VenueRefused
from tests.support.file_server import Archive
from tests.support.kline_server import served

DATA = random.Random(1).randbytes(300_000)


@pytest.fixture
def archive():
    archive = Archive({"/a.zip": DATA})
    with served(archive):
        yield archive


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Waits of a test are short; what comes is synced often."""
    monkeypatch.setattr(download, "BACK_OFF", 0.01)
    monkeypatch.setattr(download_state, "SYNC_BYTES", 1 << 16)


@pytest.fixture
def part(tmp_path):
    return Part(tmp_path / "incoming" / "x.part")


def fetch(archive, part, path="/a.zip"):
    with download.Session() as session:
        return download.fetch(session, archive.url + path, part)


def test_a_file_comes_whole(archive, part):
    """One request, the bytes as they lie there."""
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA
    assert archive.asked == [("/a.zip", None)]


def test_a_cut_connection_goes_on_where_it_broke(archive, part):
    """Three cuts: what has come is not asked for again."""
    archive.faults = [("cut", 100_000), ("cut", 50_000), ("cut", 1)]
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA
    starts = [int(asked.removeprefix("bytes=")[:-1]) for _, asked in archive.asked[1:]]
    assert starts == [100_000, 150_000, 150_001]


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(archive, part, monkeypatch):
    """Half of one version and half of another would be neither."""
    archive.faults = [("cut", 100_000)] * download.TRIES
    archive.files["/a.zip"] = DATA[::-1] * 4
    monkeypatch.setattr(download, "TRIES", 1)
    with pytest.raises(VenueRefused):
        fetch(archive, part)
    archive.files["/a.zip"] = DATA
    archive.faults = []
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA
    assert archive.asked[-1][1] == "bytes=100000-"


@pytest.mark.parametrize("etag", ['W/"weak"', ""])
def test_without_a_strong_version_a_file_is_fetched_from_its_start(archive, part, etag):
    """A weak tag does not promise the same bytes."""
    archive.etags["/a.zip"] = etag
    archive.faults = [("cut", 100_000)]
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA
    assert [asked for _, asked in archive.asked] == [None, None]


def test_a_server_without_ranges_sends_all_again(archive, part):
    """200 is the whole file, whatever was asked for."""
    archive.ranges = False
    archive.faults = [("cut", 100_000)]
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA


def test_another_part_than_was_asked_for_is_not_taken(archive, part):
    """A server or cache that answers with the wrong bytes; they are fetched again."""
    archive.faults = [("cut", 100_000), ("misplaced",)]
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA


def test_all_came_and_the_next_step_did_not(archive, part):
    """Asked for what lies behind its end, the server says that there is nothing; nothing comes twice."""
    fetch(archive, part)
    assert fetch(archive, part)
    assert part.path.read_bytes() == DATA
    assert archive.asked[1:] == [("/a.zip", f"bytes={len(DATA)}-")]


def test_what_is_not_there_leaves_nothing(archive, part):
    """No file, no part; also where one had come before it was withdrawn."""
    assert not fetch(archive, part, "/b.zip")
    fetch(archive, part)
    del archive.files["/a.zip"]
    assert not fetch(archive, part)
    assert list(part.path.parent.iterdir()) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(archive, part, status):
    """Twice busy, then it answers."""
    archive.faults = [("status", status, {})] * 2
    assert fetch(archive, part)
    assert len(archive.asked) == 3


def test_a_server_is_given_the_time_that_it_asks_for(archive, part):
    """Retry-After, in seconds."""
    archive.faults = [("status", 429, {"Retry-After": "1"})]
    started = time.monotonic()
    assert fetch(archive, part)
    assert time.monotonic() - started >= 1


def test_a_server_that_stays_busy_is_left_alone(archive, part):
    """Five tries, then the step fails and says with what."""
    archive.faults = [("status", 429, {})] * 9
    with pytest.raises(VenueRefused, match=r"a\.zip answered 429"):
        fetch(archive, part)
    assert len(archive.asked) == download.TRIES


def test_a_connection_that_breaks_at_once_each_time_is_given_up(archive, part):
    """Five tries without a byte; what had come stays for the next time."""
    archive.faults = [("cut", 100_000), *[("cut", 0)] * 9]
    with pytest.raises(VenueRefused, match="broke 5 times in a row"):
        fetch(archive, part)
    assert part.path.stat().st_size == 100_000


def test_a_refusal_is_not_absence(archive, part):
    """Forbidden is an error: recorded as not published it would be believed."""
    archive.faults = [("status", 403, {})]
    with pytest.raises(VenueRefused, match="answered 403"):
        fetch(archive, part)


def test_a_redirect_to_an_unsafe_address_is_not_followed(archive, part):
    """Plain http is no better for being pointed to by https."""
    archive.faults = [("status", 302, {"Location": "http://192.0.2.1/a.zip"})]
    with pytest.raises(SettingsError, match="not https"):
        fetch(archive, part)


def test_nobody_there(part):
    """A dead address: refused, with the address."""
    with pytest.raises(VenueRefused, match=r"127\.0\.0\.1:9"), download.Session() as session:
        download.fetch(session, "http://127.0.0.1:9/a.zip", part)


def test_a_small_file_is_read_at_once(archive):
    """None where it is not there; no more than a small file may hold."""
    with download.Session() as session:
        assert download.small(session, archive.url + "/b.zip") is None
        assert download.small(session, archive.url + "/a.zip") == DATA[: download.SMALL]


def test_a_disk_that_fails_says_so(archive, tmp_path):
    """A folder stands where the part should: no half file, no stack trace."""
    (tmp_path / "x.part").mkdir()
    with pytest.raises(StoreError, match="Check the free space of the disk"):
        fetch(archive, Part(tmp_path / "x.part"))
