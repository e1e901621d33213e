"""A capture file in the folder is all that is needed: features and labels follow by themselves."""

from datetime import timedelta
from time import time

import dagster as dg
import pytest

from ml.core.config import Config
from ml.simulation.plants import Alpha
from ml.simulation.publish import frames, write_captures
from ml.simulation.venue import Market, simulate
from ml.storage.commit import read
from pipelines.demo import START
from tests.e2e.browser import free_port
from tests.support.daemon import created, instance, ui, wait_for
from tests.support.scenario import INSTRUMENT

SECONDS = 300
DAY = START.date().isoformat()
MADE = dict.fromkeys(("features", "future_labels", "training_features", "candles"), DAY)
MADE |= dict.fromkeys(("candle_features", "candle_targets"), DAY[:7])
STARTING = 300
MAKING = 900
"""Seconds on a machine that is busy with other things, and where kernels may have to be compiled."""


@pytest.mark.slow
def test_a_capture_file_becomes_features_and_labels(root, tmp_path):
    """A fresh data root, `lobforge ui`, a file of a day that is not the latest: nothing else is touched."""
    folder = tmp_path / "captures"
    folder.mkdir()
    log = tmp_path / "log"
    created(root, Config(folder, START.date(), START.date() + timedelta(3), (INSTRUMENT,)))
    with ui(root, log, free_port()), instance(root) as opened:
        wait_for(lambda: "SensorDaemon" in log.read_text(), STARTING, log)
        apart = tmp_path / "apart"
        write_captures(
            apart, frames(simulate(Market(11, SECONDS, Alpha(0.25))), int(START.timestamp()) * 10**9, 11, ())
        )
        dropped = time()
        for path in apart.iterdir():
            path.replace(folder / path.name)
        for table, date in MADE.items():
            stored = root.partition(table, date, INSTRUMENT.id)
            wait_for(stored.exists, MAKING, log)
            assert read(stored).collect().height > 0
        wait_for(lambda: all(run.is_finished for run in opened.get_runs()), MAKING, log)
        for record in reversed(opened.get_run_records()):
            times = [round((at or 0) - dropped) for at in (record.start_time, record.end_time)]
            print(record.dagster_run.job_name, record.dagster_run.status.value, "s after the file:", *times)
        runs = opened.get_runs()
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert len(runs) <= 5, "the index, raw frames, one run for all that follows from the day, and the month"
