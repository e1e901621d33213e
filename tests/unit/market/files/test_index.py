"""The summary of a capture file, and where its unreadable lines go."""

import polars as pl
import pytest

from ml.core.errors import CaptureError
from ml.market.files import index
from tests.support.scenario import USDM, capture, diff, snapshot, trade

T = 1_741_000_000_000


def test_a_file_is_summed_up(tmp_path):
    """Frames, instruments, first and last event, snapshots, and what was quarantined."""
    path = capture(tmp_path / "a.log", [diff(1, 0, T), snapshot(1, T), trade(1, T + 50), b"junk\n"])
    summary, lines = index.scan(path)
    span = summary.instruments[USDM]
    assert (summary.frames, span.frames, span.first_event, span.last_event) == (3, 3, T * 10**6, (T + 50) * 10**6)
    assert len(span.snapshots) == 1
    assert summary.quarantined == {"bad_json": 1}
    assert lines[0].line == b"junk\n"


def test_it_is_kept_by_content_with_its_quarantine(root, tmp_path):
    """The second load reads no frame; the unreadable lines stand in the quarantine with offset and reason."""
    path = capture(tmp_path / "a.log", [diff(1, 0, T), b"junk\n"])
    first = index.load(root, path)
    (kept,) = (root.quarantine / "captures").glob("*.parquet")
    rows = pl.read_parquet(kept)
    assert rows.select("source", "reason", "line").row(0) == (first.sha256, "bad_json", b"junk\n")
    renamed = path.rename(tmp_path / "b.log")
    assert index.load(root, renamed) == first


def test_acknowledgements_are_no_frames(tmp_path):
    """A subscription's answer is neither data nor an error."""
    summary, lines = index.scan(
        capture(tmp_path / "a.log", [{"result": None, "id": 1}, {"success": True}, diff(1, 0, T)])
    )
    assert (summary.frames, lines) == (1, [])


@pytest.mark.parametrize(
    ("doc", "reason"),
    [
        ({"topic": "orderbook.50.BTCUSDT", "type": "delta"}, "wrong_venue"),
        ({"arg": {"channel": "books", "instId": "BTC-USD-251226"}, "data": []}, "wrong_venue"),
        ({"hello": 1}, "unknown_frame"),
        ([1, 2], "unknown_frame"),
    ],
)
def test_frames_of_other_venues_are_quarantined(tmp_path, doc, reason):
    """Spot, coin-margined and unknown frames are told from USD-M ones by their fields."""
    summary, _ = index.scan(capture(tmp_path / "a.log", [doc, diff(1, 0, T)]))
    assert summary.quarantined == {reason: 1}


def test_a_missing_file_is_named(tmp_path):
    """No stack trace for a mistyped path."""
    with pytest.raises(CaptureError, match="nowhere"):
        index.scan(tmp_path / "nowhere.gz")
