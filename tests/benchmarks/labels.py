"""Labels for three horizons: the compiled loop against pandas.merge_asof, on the same rows and with equal results.

Day by day, as partitions are: 116 days of 86 400 rows. The loop writes into the same arrays for each day, and gives
volatility, age and null reasons as well; pandas gives the movements alone.
"""

from time import perf_counter

import numpy as np

from ml.labels.kernel import Quotes, empty_labels, future_rows

DAYS, DAY_ROWS, HORIZONS, RUNS = 116, 86_400, (10, 30, 60), 5
SECOND = 10**9
ROOM = empty_labels(DAY_ROWS, len(HORIZONS))


def measure(count: int = DAYS, runs: int = RUNS) -> dict[str, float]:
    """Rows per second of each contender, three horizons each, medians over interleaved runs."""
    days = [_day(seed) for seed in range(count)]
    frames = [_frame(day) for day in days]
    _ours(days[0])  # compiles
    times: dict[str, list[float]] = {"compiled loop": [], "pandas.merge_asof": []}
    for _ in range(runs):
        for name, contender, given in (("compiled loop", _ours, days), ("pandas.merge_asof", _pandas, frames)):
            started = perf_counter()
            for day in given:
                contender(day)
            times[name].append(perf_counter() - started)
    for day, frame in zip(days[:3], frames[:3], strict=True):
        np.testing.assert_array_equal(_ours(day), _pandas(frame))
    return {name: count * DAY_ROWS / float(np.median(taken)) for name, taken in times.items()}


def _day(seed: int) -> Quotes:
    walk = np.random.default_rng(seed).integers(-3, 4, DAY_ROWS).cumsum() + 1_000_000
    rows = np.arange(1, DAY_ROWS + 1)
    ones = np.ones(DAY_ROWS, np.int64)
    return Quotes(rows * SECOND, walk, walk + 1, ones.astype(np.int8), np.minimum(rows, 3_600).astype(np.int16), ones)


def _ours(day: Quotes) -> np.ndarray:
    future_rows(day, 0, np.array(HORIZONS), 1 << 62, ROOM)
    return ROOM.movement


def _frame(day: Quotes):
    import pandas as pd

    return pd.DataFrame({"ts": day.ts, "mid": day.bid + day.ask})


def _pandas(frame) -> np.ndarray:
    """The usual recipe: shift the time, take the last known mid, within half a second."""
    import pandas as pd

    found: list[np.ndarray] = []
    for h in HORIZONS:
        wanted = frame.assign(target=frame["ts"] + h * SECOND)
        later = pd.merge_asof(
            wanted, frame, left_on="target", right_on="ts", tolerance=SECOND // 2, suffixes=("", "_later")
        )
        found.append((later["mid_later"] / later["mid"] - 1.0).to_numpy())
    return np.array(found)
