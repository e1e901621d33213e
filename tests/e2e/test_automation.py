"""A capture file in the folder is all that is needed: the daemon makes features and labels of it."""

from datetime import timedelta

import pytest

from ml.core.config import Config
from ml.simulation.plants import Alpha
from ml.simulation.publish import frames, write_captures
from ml.simulation.venue import Market, simulate
from ml.storage.commit import read
from pipelines.demo import START
from tests.support.daemon import created, daemon, wait_for
from tests.support.scenario import INSTRUMENT

SECONDS = 300
FOLLOWING = ("features", "future_labels", "training_features", "candles", "candle_features")


@pytest.mark.slow
def test_a_capture_file_becomes_features_and_labels(root, tmp_path, monkeypatch):
    """A fresh instance, a daemon, a file of a day that is not the latest: nothing else is touched."""
    folder = tmp_path / "captures"
    folder.mkdir()
    log = tmp_path / "daemon.log"
    monkeypatch.setenv("DAGSTER_HOME", "")
    created(root, Config(folder, START.date(), START.date() + timedelta(3), (INSTRUMENT,)))
    with daemon(root, log):
        wait_for(lambda: "SensorDaemon" in log.read_text(), 60, log)
        apart = tmp_path / "apart"
        history = simulate(Market(11, SECONDS, Alpha(0.25)))
        write_captures(apart, frames(history, int(START.timestamp()) * 10**9, 11, ()))
        for path in apart.iterdir():
            path.replace(folder / path.name)
        day = START.date().isoformat()
        dates = [day, day, day, day, day[:7]]
        for table, date in zip(FOLLOWING, dates, strict=True):
            stored = root.partition(table, date, INSTRUMENT.id)
            wait_for(stored.exists, 900, log)  # kernels may have to be compiled
            assert read(stored).collect().height > 0
