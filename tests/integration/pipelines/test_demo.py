"""The whole graph on a few simulated minutes."""

import json
from pathlib import Path

import jsonschema
import pytest
from dagster_shared.serdes import serialize_value

from ml.core import config
from ml.core.errors import CaptureError
from ml.storage.commit import read
from pipelines.demo import Demo, default_config, prepare
from pipelines.setup import opened
from tests.architecture.sources import PROJECT
from tests.integration.pipelines.conftest import HOURS
from tests.support.scenario import INSTRUMENT, USDM, capture, diff, snapshot, trade

SCHEMA = json.loads((PROJECT / "tests" / "schemas" / "demo.json").read_text())
KEY = f"2025-03-03|{INSTRUMENT.id}"


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A data root of its own for what the settings name."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path))
    return tmp_path


def test_the_report_keeps_its_schema(demonstrated):
    """As JSON that any program can read: no NaN, nothing missing, nothing unnamed."""
    _, _, report, _ = demonstrated
    text = json.dumps(report, allow_nan=False)
    jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize("lost", SCHEMA["$defs"]["report"]["required"])
def test_the_schema_misses_what_is_lost(demonstrated, lost):
    """A report without one of its parts is none."""
    report = {name: value for name, value in demonstrated[2].items() if name != lost}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA)


def test_a_few_minutes_are_honestly_insufficient(demonstrated):
    """No candidate, no champion, and how many hours more it takes."""
    _, _, report, _ = demonstrated
    (rows,) = [gate for gate in report["gates"] if gate["name"] == "rows"]
    assert (report["decision"], report["candidate"], report["champion"]) == ("insufficient", None, None)
    assert rows["outcome"] == "insufficient"
    assert "h more of 1 instruments" in rows["detail"]
    assert report["folds"] == []


def test_live_gives_the_same_rows(demonstrated):
    """A process of its own compares every stored row, finds no difference, and withholds without a model."""
    root, _, report, _ = demonstrated
    stored = read(root.partition("features", *KEY.split("|"))).collect().height
    assert (report["parity"]["rows"], report["parity"]["mismatches"]) == (stored, 0)
    assert report["parity"]["rows_with_values"] > 0.8 * stored
    assert report["live"]["withheld"] == {"no_model": stored}


def test_the_report_is_that_of_the_stored_tables(demonstrated):
    """Rows, coverage and the one gap are read back, not remembered."""
    root, keys, report, _ = demonstrated
    (part,), (gap,) = report["partitions"], report["gaps"]
    assert keys == [KEY] == [part["partition"]]
    for table, rows in part["rows"].items():
        assert read(root.partition(table, *KEY.split("|"))).collect().height == rows > 0
    labels = read(root.partition("future_labels", *KEY.split("|"))).collect()
    share = 1 - labels["movement_10s"].null_count() / labels.height
    assert report["label_coverage"][f"{KEY} 10s"] == pytest.approx(share, abs=1e-6)
    lost = read(root.partition("validity", *KEY.split("|"))).collect()
    assert (gap["start"], gap["end"], gap["reason"]) == (lost["end_ts"][0], lost["start_ts"][1], "sequence_gap")


def test_every_asset_was_materialized(demonstrated, defs):
    """By name, all that the two jobs of the way from capture to promotion make."""
    _, _, report, said = demonstrated
    assert report["assets"] == sorted(
        key.to_user_string()
        for job in ("ingest", "learn")
        for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys
    )
    assert [line for line in said if line.startswith(("ingest", "learn", "live"))] == [
        f"ingest {KEY} (1 of 1)",
        "learn",
        "live replay",
    ]


def test_each_market_has_a_data_root_of_its_own(base):
    """The default one uses the data root itself; no other can spoil it, nor two folders of one name each other."""
    demos = (Demo(), Demo(alpha=0.1), Demo(seed=8), Demo(hours=2), Demo(base / "a" / "raw"), Demo(base / "b" / "raw"))
    roots = [demo.root().root for demo in demos]
    assert roots[0] == base
    assert len(set(roots)) == len(roots)
    assert {root.parent for root in roots[1:]} == {base / "variants"}


def test_the_same_market_is_simulated_once(base, monkeypatch, with_stores):
    """A second start finds the captures; without the note that they are whole they are recomputed, byte for byte."""
    said = []
    files = []
    with_stores(Demo(hours=HOURS / 3).root())
    for note_is_lost in (False, True, False):
        monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(base))
        root, _ = prepare(Demo(hours=HOURS / 3), said.append)
        folder = config.load(root).captures
        files.append({path.name: path.read_bytes() for path in folder.iterdir()})
        if note_is_lost:
            (folder / "market.json").unlink()
    assert files[0] == files[1] == files[2]
    assert len([line for line in said if line.startswith("simulate")]) == 2


def test_recorded_captures_are_surveyed(base, tmp_path, with_stores):
    """Instruments, decimals and dates come from the files."""
    folder = tmp_path / "raw"
    folder.mkdir()
    late = 1_741_046_395_000  # 2025-03-03 23:59:55 UTC
    book = [diff(9 + n, 8 + n, late + 1_000 * n, [("99.5", "1.25")], [("100.0", "2.000")]) for n in range(10)]
    capture(folder / "a.log", [snapshot(8, late), *book, trade(1, late + 9_000)], late, 1_000)
    with_stores(Demo(folder).root())
    root, keys = prepare(Demo(folder), [].append)
    configuration = config.load(root)
    assert keys == [f"2025-03-03|{USDM}", f"2025-03-04|{USDM}"]
    assert (configuration.captures, configuration.first_date.isoformat(), configuration.last_date.isoformat()) == (
        folder,
        "2025-03-03",
        "2025-03-04",
    )
    assert [(i.id, i.price_decimals, i.size_decimals) for i in configuration.instruments] == [(USDM, 1, 2)]


def test_a_folder_without_captures_is_an_error(base, tmp_path):
    """Before anything is created."""
    with pytest.raises(CaptureError, match="contains no capture file"):
        prepare(Demo(tmp_path), [].append)
    assert list(base.iterdir()) == []


def test_the_default_market_runs_over_midnight():
    """Two dates and one instrument."""
    configuration = default_config()
    assert (configuration.last_date - configuration.first_date).days == 1
    assert configuration.captures == Path("captures") / "sim"


def test_the_event_log_stays_small(demonstrated):
    """What one run from captures to training features writes into it is kept for ever: bytes, pictures included."""
    root, _, _, _ = demonstrated
    with opened(root) as instance:
        (run,) = [run for run in instance.get_runs() if run.job_name == "ingest"]
        written = sum(len(serialize_value(entry)) for entry in instance.all_logs(run.run_id))
    assert written < 330_000
