"""`unified_240` against Qlib's Alpha158, per value: ten series of 10 000 candles, in time of the processor.

Qlib is given its own binary store and one kernel; ours starts from a frame of the table `candles` and ends with one.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

from ml.features.candle.build import build
from tests.benchmarks import peers
from tests.support.candles import PAIR, candle_frame, walk

SERIES = 10
ROWS = 10_000
RUNS = 5
PEER = """
import json, sys, time
import qlib
from qlib.config import REG_CN
from qlib.contrib.data.loader import Alpha158DL
from qlib.data import D
qlib.init(
    provider_uri=sys.argv[1], region=REG_CN, kernels=1, expression_cache=None, dataset_cache=None, logging_level=40
)
fields, names = Alpha158DL.get_feature_config()
times = []
for _ in range(int(sys.argv[2])):
    from qlib.data.cache import H
    H.clear()
    started = time.process_time()
    frame = D.features(D.instruments("all"), fields, freq="day")
    times.append((time.process_time() - started) / frame.size)
print(json.dumps(times))
"""


def measure(series: int = SERIES, rows: int = ROWS, runs: int = RUNS) -> dict[str, float]:
    """Values per second of each contender, medians; Qlib if it installs."""
    frames = [candle_frame(rows, seed) for seed in range(series)]
    build(frames[0], PAIR)  # imports TA-Lib
    taken: list[float] = []
    for _ in range(runs):
        started = process_time()
        for frame in frames:
            build(frame, PAIR)
        taken.append(process_time() - started)
    measured = {"unified_240": series * rows * 240 / float(np.median(taken))}
    try:
        python = peers.python_of("qlib", "pyqlib==0.9.7", "setuptools")
        with TemporaryDirectory() as folder:
            store(Path(folder), series, rows)
            measured["Qlib Alpha158"] = 1 / float(np.median(peers.times(python, PEER, folder, "3")))
    except peers.Unreachable as error:
        print(f"Qlib: skipped: {error}")
    return measured


def store(folder: Path, series: int, rows: int) -> None:
    """The series as Qlib's files: a calendar, the list of instruments, a float32 file a column with its first row."""
    days = (np.datetime64("1990-01-01") + np.arange(rows)).astype(str)
    (folder / "calendars").mkdir()
    (folder / "calendars" / "day.txt").write_text("\n".join(days) + "\n")
    (folder / "instruments").mkdir()
    lines = [f"s{k}\t{days[0]}\t{days[-1]}" for k in range(series)]
    (folder / "instruments" / "all.txt").write_text("\n".join(lines) + "\n")
    for k in range(series):
        opened, high, low, close, volume = walk(rows, k)
        into = folder / "features" / f"s{k}"
        into.mkdir(parents=True)
        columns = {"open": opened, "high": high, "low": low, "close": close, "volume": volume, "vwap": (high + low) / 2}
        for name, column in columns.items():
            np.append(0.0, column).astype("<f4").tofile(into / f"{name}.day.bin")
