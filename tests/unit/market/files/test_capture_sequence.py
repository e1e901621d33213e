"""Files in arrival order."""

import shutil
from itertools import permutations

import pytest

from ml.core.errors import CaptureError
from ml.market.files.capture_sequence import link
from ml.market.files.index import scan
from tests.support.scenario import USDM, capture, chain_of, diff, snapshot

T = 1_741_000_000_000


def ids(chain):
    return [a.doc["data"]["u"] for a in chain.frames(USDM) if "data" in a.doc]


def test_order_and_repetition_of_the_arguments_do_not_matter(tmp_path):
    """Files follow their first receive time; a file given twice, under any name, counts once."""
    paths = [
        capture(tmp_path / name, [diff(k, k - 1, T + k) for k in numbers], start_ms=T + 1_000 * numbers[0])
        for name, numbers in (("c.log", range(1, 4)), ("a.log", range(4, 7)), ("b.log", range(7, 9)))
    ]
    shutil.copy(paths[0], tmp_path / "copy.log")
    expected = list(range(1, 9))
    for order in permutations([*paths, tmp_path / "copy.log"]):
        assert ids(chain_of(*order)) == expected


def test_overlapping_files_merge_by_receive_time(tmp_path):
    """Two connections recorded at once arrive interleaved."""
    capture(tmp_path / "a.log", [diff(k, k - 1, T) for k in (1, 3, 5)], start_ms=T, step_ms=200)
    capture(tmp_path / "b.log", [diff(k, k - 1, T) for k in (2, 4)], start_ms=T + 100, step_ms=200)
    assert ids(chain_of(tmp_path)) == [1, 2, 3, 4, 5]


def test_a_local_clock_that_steps_back_does_not_reorder_a_file(tmp_path):
    """Within a file the line order is the order of arrival, whatever the clock did."""
    path = tmp_path / "a.log"
    first = capture(tmp_path / "x", [diff(1, 0, T)], start_ms=T + 5_000).read_bytes()
    path.write_bytes(first + capture(tmp_path / "x", [diff(2, 1, T)], start_ms=T).read_bytes())
    (tmp_path / "x").unlink()
    assert ids(chain_of(path)) == [1, 2]


def test_a_snapshot_without_symbol_belongs_to_the_files_only_instrument(tmp_path):
    """With two instruments in the file it cannot be placed, and is quarantined."""
    alone = capture(tmp_path / "a.log", [snapshot(5, T), diff(6, 5, T)])
    assert [a.doc.get("lastUpdateId") for a in chain_of(alone).frames(USDM)] == [5, None]
    mixed = capture(tmp_path / "b.log", [snapshot(5, T), diff(6, 5, T), diff(6, 5, T, symbol="ETHUSDT")])
    assert chain_of(mixed).quarantined() == {"b.log": {"no_symbol": 1}}
    assert len(list(chain_of(mixed).frames(USDM))) == 1


def test_only_the_files_since_the_last_usable_snapshot_are_needed(tmp_path):
    """A day far into a long capture does not read its beginning."""
    hour = 3_600_000
    for k in range(5):
        docs = [
            diff(100 * k + 1, 100 * k, T + k * hour),
            snapshot(100 * k + 1, T),
            diff(100 * k + 2, 100 * k + 1, T + k * hour + 60_000),
        ]
        capture(tmp_path / f"{k}.log", docs, start_ms=T + k * hour, step_ms=60_000)
    chain = chain_of(tmp_path)
    kept = chain.of(USDM, since=(T + 3 * hour + 120_000) * 10**6)
    assert kept.files[0][0].name in {"2.log", "3.log"}
    assert len(chain.of(USDM, since=T * 10**6 - 1).files) == 5


def test_nothing_to_read_names_the_reason(tmp_path):
    """The message counts what stood in the files instead."""
    path = tmp_path / "x.log"
    path.write_bytes(b"junk\n")
    with pytest.raises(CaptureError, match="bad_json"):
        link([path], lambda p: scan(p)[0])
