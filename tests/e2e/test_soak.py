"""The capture under load, promise A7: memory is bounded, and every frame is in the journal or on record as refused."""

import numpy as np
import orjson
import polars as pl
import pytest

from ml.capture.journal import Kind
from ml.storage import commit
from tests.support.emulator.load import names
from tests.support.emulator.trial import Setting, Trial, run

MIB = 1 << 20
HOUR = 3_600.0 * 150 / 241
"""Seconds of the busiest minute, over and over, that hold as many frames as an hour of the whole recording does."""
SLOW_DISK = "tests.support.emulator.slow_disk"


def accounted(trial: Trial) -> None:
    """Sent = journalled + refused, and no connection was opened twice."""
    assert trial.sent == trial.journalled + trial.overflows
    assert (trial.summary["reconnects"], trial.summary["connections"]) == (0, 2)


def growth(trial: Trial) -> float:
    """Bytes that the capture grew by, from a tenth of the run to its end; medians, as single samples jump."""
    tenth = len(trial.rss) // 10
    return float(np.median(trial.rss[-tenth:]) - np.median(trial.rss[tenth : 2 * tenth]))


def losses(folder) -> set[tuple[str, str]]:
    """(symbol, reason) of every loss that the capture files hold."""
    files = sorted((folder / "data" / "captures").glob("*.parquet"))
    rows = pl.concat([commit.read(file).filter(pl.col("kind") == Kind.LOSS) for file in files]).collect()
    found = [orjson.loads(payload) for payload in rows["payload"]]
    return {(one["symbol"], one["loss"]) for one in found}


@pytest.mark.slow
@pytest.mark.promise("A7")
def test_every_frame_of_fifty_symbols_is_taken_down(market, tmp_path):
    """Sent as fast as they are taken: nothing is refused, nothing is missing, no chain of ids breaks."""
    trial = run(Setting(speed=0, seconds=6, lap=2), market, tmp_path)
    accounted(trial)
    assert (trial.overflows, trial.summary["breaks"]) == (0, 0)


@pytest.mark.slow
@pytest.mark.promise("A7")
def test_a_slow_disk_is_a_loss_on_record(market, tmp_path):
    """What does not fit is refused, and the capture files say so for each symbol; memory stays bounded."""
    trial = run(Setting(speed=0, seconds=12, lap=2, entry=SLOW_DISK), market, tmp_path)
    accounted(trial)
    assert trial.overflows > 0
    assert losses(tmp_path) == {(name, "overflow") for name in names(50)}


@pytest.mark.slow
@pytest.mark.promise("A7")
@pytest.mark.parametrize("entry", ["cli", SLOW_DISK])
def test_an_hour_of_frames_leaves_memory_as_it_was(market, tmp_path, entry):
    """An hour's frames of fifty symbols, as fast as they are taken."""
    trial = run(Setting(speed=0, seconds=HOUR, lap=10, entry=entry), market, tmp_path)
    accounted(trial)
    assert growth(trial) < 20 * MIB
    assert (trial.overflows > 0) == (entry == SLOW_DISK)
