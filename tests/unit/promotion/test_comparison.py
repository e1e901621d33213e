"""Looks at a running challenge: recomputed alike, blind to labels that are not known yet, and honest about data."""

import numpy as np
import polars as pl
import pytest

from ml.core.config import LifecyclePlan
from ml.core.time import HOUR, SECOND
from ml.learning.metrics import macro_accuracy
from ml.promotion.comparison import ANSWERS, compare, losses

PLAN = LifecyclePlan(look_hours=1, shadow_hours=4, split_hours=2)
START = 1_741_000_000 * SECOND
HORIZON = 10


def answers(hours, skill, rival, seed=1):
    """Rows of every second; each model is right with its own chance, in blocks of a horizon."""
    rng = np.random.default_rng(seed)
    n = hours * 3600
    direction = np.repeat(rng.integers(0, 3, n // HORIZON), HORIZON)

    def said(chance):
        right = np.repeat(rng.random(n // HORIZON) < chance, HORIZON)
        other = np.repeat(rng.integers(1, 3, n // HORIZON), HORIZON)
        return np.where(right, direction, (direction + other) % 3)

    ts = START + np.arange(n) * SECOND
    columns = {"instrument": ["sim.X"] * n, "ts": ts, "label_end": ts + HORIZON * SECOND, "direction": direction}
    return pl.DataFrame(columns | {"champion": said(rival), "challenger": said(skill)}, schema_overrides=ANSWERS)


def test_the_loss_is_one_minus_macro_accuracy():
    """Of whatever rows, also where a class is missing."""
    for rows in (answers(1, 0.5, 0.4), answers(1, 0.5, 0.4).filter(pl.col("direction") != 1)):
        lost = losses(rows)
        for name in ("champion", "challenger"):
            expected = 1 - macro_accuracy(rows["direction"].to_numpy(), rows[name].to_numpy())
            assert lost[f"{name}_loss"].mean() == pytest.approx(expected)


def test_much_better_is_found_and_much_worse_too():
    """In hours, where twenty points separate the models."""
    rows = answers(6, 0.6, 0.4)
    assert compare(rows, PLAN, HORIZON, START, START + 6 * HOUR).outcome == "better"
    swapped = rows.rename({"champion": "challenger", "challenger": "champion"})
    assert compare(swapped, PLAN, HORIZON, START, START + 6 * HOUR).outcome == "worse"


def test_few_data_decide_nothing():
    """One hour has too few blocks for any interval; the look says what is missing."""
    found = compare(answers(2, 0.6, 0.4), PLAN, HORIZON, START, START + HOUR)
    assert (found.outcome, len(found.looks)) == ("undecided", 1)
    assert "an interval takes" in found.last.detail
    assert compare(answers(2, 0.6, 0.4), PLAN, HORIZON, START, START + HOUR - 1).last is None


def test_rows_before_the_start_and_labels_of_the_future_do_not_count():
    """What is not known yet changes no look."""
    rows = answers(6, 0.5, 0.45)
    now = START + 3 * HOUR
    cut = rows.filter(pl.col("label_end") <= now)
    early = rows.with_columns(pl.col("ts") - 6 * HOUR, pl.col("label_end") - 6 * HOUR)
    asked = [compare(known, PLAN, HORIZON, START, now) for known in (rows, cut, pl.concat([early, rows]))]
    assert asked[0] == asked[1] == asked[2]
    assert asked[0].last.rows == 3 * 3600 - HORIZON + 1


def test_later_looks_repeat_the_earlier_ones():
    """A restart finds the same bounds: no look is spent twice."""
    rows = answers(6, 0.5, 0.45)
    long = compare(rows, PLAN, HORIZON, START, START + 6 * HOUR)
    short = compare(rows, PLAN, HORIZON, START, START + 4 * HOUR)
    assert long.looks[: len(short.looks)] == short.looks
