"""What is kept about one source."""

from ml.legacy import batches
from ml.legacy.parts import REASONS, days, opened, proof, refuse
from ml.legacy.sources import find
from tests.support import legacy_files as files


def part_of(root):
    (source,) = find(root).of("batch")
    return opened(source)


def test_a_proof_counts_hashes_and_ranges(tmp_path):
    """Everything that a doubter needs, and nothing that differs between two runs."""
    ts = files.times(20)
    mids = files.prices(20)
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids)
    found = proof(batches.read(part_of(tmp_path), "v"))
    assert found == proof(batches.read(part_of(tmp_path), "v"))
    assert (found["rows"], found["rows_read"], found["quarantined"]) == (20, 20, {})
    assert set(found["sha256"]) == {"features", "labels", "metadata"}
    assert found["ranges"]["current_mid_price"] == [min(mids), max(mids)]
    assert (found["first_ts"], found["last_ts"]) == (ts[0] * 10**6, ts[-1] * 10**6)


def test_the_key_follows_name_and_content(tmp_path):
    """A file of the same name with other content is another source."""
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", files.times(20), files.prices(20))
    key = part_of(tmp_path).key
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", files.times(20), files.prices(20, 1))
    assert part_of(tmp_path).key != key


def test_days_are_those_of_the_samples(tmp_path):
    """A batch may span midnight, and its name may lie."""
    ts = files.times(30, files.DAY + 86_400_000 - 300_000)
    files.batch(tmp_path, "BTCUSDT", "2025-11-20_batch_0001", ts, files.prices(30))
    assert days(batches.read(part_of(tmp_path), "v").frame) == ["2025-11-07", "2025-11-08"]


def test_a_refused_part_has_all_its_rows_quarantined(tmp_path):
    """None is lost from the count."""
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", files.times(2), files.prices(2))
    found = proof(refuse(part_of(tmp_path), "truncated", "why", 2))
    assert (found["rows"], found["rows_read"], found["quarantined"], found["detail"]) == (2, 0, {"truncated": 2}, "why")
    assert all(REASONS.values())
