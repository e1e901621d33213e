"""Layering patterns of all generations in one table."""

import itertools
import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.core.paths import DataRoot
from ml.legacy import patterns
from ml.legacy.columns import PATTERNS
from ml.legacy.sources import find
from ml.storage import commit
from ml.tables.spec import conform
from tests.support import legacy_patterns as files

VENUE = "bybit-linear"


def run(root, folder, **options):
    return patterns.migrate(root, find(folder).of("layering", "statistics"), VENUE, **options)


def table(root):
    return pl.concat([commit.load(root.root / path) for path in sorted(commit.manifest(root, patterns.TABLE))]).sort(
        "data_id"
    )


@pytest.fixture
def written(tmp_path):
    """All generations below a folder, and what each pattern must become."""
    return tmp_path / "old", files.every_pattern(tmp_path / "old")


def test_each_pattern_has_its_best_label(written, root):
    """By hand before price before automatic before none; the outcome from whichever copy has it."""
    run(root, written[0])
    rows = conform(table(root), PATTERNS, patterns.TABLE)
    found = {
        i: fate for i, *fate in rows.select("data_id", "is_true_layering", "label_source", "outcome_label").iter_rows()
    }
    assert found == {data_id: list(fate) for data_id, fate in written[1].items()}


def test_every_copy_is_named(written, root):
    """Provenance: file, row, label and who gave it."""
    run(root, written[0])
    second = table(root).filter(pl.col("data_id").str.ends_with("_2")).row(0, named=True)
    assert second["copies"] == [
        "ml_training/layering/layering_data_20251107_000000.parquet#2 label false by price_action_30s",
        "ml_training/layering/layering_data_20251107_000000_labeled.parquet#0 label true by automatic",
        "ml_training/layering/layering_data_20251107_000000_outcome.parquet#2 label false by automatic_outcome",
    ]
    assert second["outcome_from"].endswith("_outcome.parquet#2")


def test_rows_add_up_and_statistics_are_set_beside(written, root):
    """Stated and found; the collector counts what the files lost."""
    report = run(root, written[0])
    assert (report["rows"], report["kept"], report["duplicates"]) == (15, 7, 6)
    assert report["quarantined"] == {"no_data_id": 1, "no_timestamp": 1}
    (statistics,) = report["statistics"]
    assert statistics["agrees"]
    assert statistics["total_saved"] == {"stated": 13, "found": 13}


def test_a_second_run_and_a_dry_run_change_nothing(written, root):
    """The same bytes, the same report."""
    first = run(root, written[0])
    manifest = root.manifest(patterns.TABLE).read_bytes()
    again = run(root, written[0])
    dry = run(root, written[0], dry_run=True)
    assert again == dry == first | {"files_written": 0}
    assert root.manifest(patterns.TABLE).read_bytes() == manifest


def test_files_may_come_in_any_order(written, root, tmp_path):
    """One file at a time, in each order: the same table, copies included."""
    run(root, written[0])
    sources = find(written[0]).of("layering")
    for k, order in enumerate(itertools.permutations(sources[:3])):
        other = DataRoot(tmp_path / f"order{k}")
        for source in order:
            patterns.migrate(other, [source], VENUE)
        assert_frame_equal(table(other), table(root))


@pytest.mark.parametrize("content", [b"{", b"[]"])
def test_statistics_that_cannot_be_read_are_told(written, root, content):
    """They decide nothing."""
    (written[0] / "ml_training/layering/statistics.json").write_bytes(content)
    assert "fault" in run(root, written[0])["statistics"][0]


@pytest.mark.parametrize("name", ["20251107_1200_outcome", "20251107_1200_labeled", "20251107_1200", "2025_backfill"])
def test_files_of_the_label_scripts_are_read(root, tmp_path, name):
    """They are named by the hour, without seconds; any file that begins like one of patterns is tried."""
    files.write(tmp_path, name, [files.pattern(1, label=True, by="automatic_outcome")])
    report = run(root, tmp_path)
    assert (report["sources"], report["rows"], report["labelled"]) == (1, 1, 1)
    assert table(root)["generation"].to_list() == [name.split("_")[2] if name.count("_") == 2 else "base"]


def test_values_that_do_not_fit_are_reported(root, tmp_path):
    """The pattern stays; which file, column, row and value, in the report and in the quarantine."""
    rows = [files.pattern(k, layer_count=count) for k, count in enumerate([3.0, 2.5, None])]
    rows[0] |= {"total_volume_usdt": "much", "notes": "text", "mood": 1}
    rows[2] |= {"is_true_layering": "maybe", "volatility_24h": float("inf")}
    write = files.write(tmp_path, "20251107_1200_labeled", rows)
    report = run(root, tmp_path)
    source = write.relative_to(tmp_path).as_posix()
    assert report["invalid_values"] == [
        {"source": source, "column": "is_true_layering", "values": 1, "first_row": 2, "first": "maybe"},
        {"source": source, "column": "layer_count", "values": 1, "first_row": 1, "first": "2.5"},
        {"source": source, "column": "total_volume_usdt", "values": 1, "first_row": 0, "first": "much"},
    ]
    assert (report["not_finite"], report["unread_columns"]) == ({"nan": 0, "infinite": 1}, ["mood"])
    assert table(root)["layer_count"].to_list() == [3, None, None]
    (entry,) = (json.loads(path.read_text()) for path in root.quarantined("").parent.glob("*.json"))
    assert entry["invalid_values"][1] == {"column": "layer_count", "rows": [1], "values": ["2.5"]}
