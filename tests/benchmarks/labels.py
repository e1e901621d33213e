"""Labels for three horizons: the compiled loop against as-of joins, on the same rows and with equal results.

116 days of 86 400 rows. The loop and pandas.merge_asof go day by day, as partitions are; the loop writes into the same
arrays for each day, and gives volatility, age and null reasons as well. DuckDB has all days in one table in memory and
joins it with itself by day, a statement a horizon, as it does best, with as many threads as there are cores. The joins
give the movements alone.
"""

from time import perf_counter

import numpy as np

from ml.labels.kernel import Quotes, empty_labels, future_rows

DAYS = 116
DAY_ROWS = 86_400
HORIZONS = (10, 30, 60)
RUNS = 5
SECOND = 10**9
ROOM = empty_labels(DAY_ROWS, len(HORIZONS))


def measure(count: int = DAYS, runs: int = RUNS) -> dict[str, float]:
    """Rows per second of each contender, three horizons each, medians over interleaved runs."""
    days = [_day(seed) for seed in range(count)]
    frames = [_frame(day) for day in days]
    table = _table(frames)
    _ours(days[0])  # compiles
    contenders = {
        "compiled loop": lambda: _each(_ours, days),
        "pandas.merge_asof": lambda: _each(_pandas, frames),
        "DuckDB ASOF JOIN": lambda: _duckdb(table),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, contender in contenders.items():
            started = perf_counter()
            contender()
            times[name].append(perf_counter() - started)
    joined = _duckdb(table)
    for k, (day, frame) in enumerate(zip(days[:3], frames[:3], strict=True)):
        np.testing.assert_array_equal(_ours(day), _pandas(frame))
        np.testing.assert_array_equal(_ours(day), [_of_day(found, k) for found in joined])
    return {name: count * DAY_ROWS / float(np.median(taken)) for name, taken in times.items()}


def _each(contender, given) -> None:
    for day in given:
        contender(day)


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


def _table(frames):
    """A connection with the table `quotes` of all days."""
    import duckdb
    import pandas as pd

    connection = duckdb.connect()
    every = pd.concat([frame.assign(day=day) for day, frame in enumerate(frames)])  # noqa: F841 - the statement reads it
    connection.execute("CREATE TABLE quotes AS SELECT day::INTEGER AS day, ts, mid FROM every")
    return connection


def _duckdb(connection) -> list[dict[str, np.ndarray]]:
    """The same recipe in SQL; rows come in any order."""
    return [
        connection.execute(f"""
            SELECT q.day, q.ts, CASE WHEN q.ts + {h * SECOND} - l.ts <= {SECOND // 2} THEN l.mid / q.mid - 1 END AS m
            FROM quotes q ASOF LEFT JOIN quotes l ON q.day = l.day AND q.ts + {h * SECOND} >= l.ts
        """).fetchnumpy()  # noqa: S608
        for h in HORIZONS
    ]


def _of_day(found: dict[str, np.ndarray], day: int) -> np.ndarray:
    """Movements of a day in order, NaN where there is none."""
    own = found["day"] == day
    return np.ma.filled(np.ma.asarray(found["m"])[own][np.argsort(found["ts"][own])], np.nan)
