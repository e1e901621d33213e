"""The 20 targets of the unified model against a loop, at the edges and around holes."""

from math import nan

import polars as pl
import pytest

from ml.labels.tables import CANDLE_TARGETS
from ml.labels.targets import HORIZONS, STEP, TARGETS, classes, label
from ml.tables.schemas import NullReason
from tests.oracles.targets import targets
from tests.support.candles import PAIR, candle_frame

ROWS = 3_000


def without(candles, *rows):
    """The candles, some of them not known."""
    hole = pl.int_range(pl.len()).is_in(rows)
    values = [name for name in candles.columns if name not in ("ts", "reason")]
    return candles.with_columns(
        *(pl.when(~hole).then(name).alias(name) for name in values), reason=pl.when(hole).then(pl.lit("silent"))
    )


@pytest.fixture(scope="module")
def candles():
    """Candles of which some are not known: at the ends, one alone, several."""
    return without(candle_frame(ROWS), 0, 300, 700, 701, 702, 1_200, ROWS - 1)


@pytest.fixture(scope="module")
def labelled(candles):
    """The targets of those candles."""
    return label(candles, PAIR)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_as_a_loop(candles, labelled, target):
    """Every value, and null in the same rows; of classes every class occurs."""
    expected = targets(*(candles[name].to_list() for name in ("close", "high", "low")))
    wanted = [row.get(target.id, nan) for row in expected]
    found = labelled[target.id].cast(pl.Float64).fill_null(nan).to_list()
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)
    classes = {"direction": 3, "long": 2, "short": 2}.get(target.id.split("_")[0])
    assert classes is None or labelled[target.id].drop_nulls().n_unique() == classes


def test_there_are_twenty():
    """In the order of the unified model, by name."""
    assert len(TARGETS) == 20
    assert [t.id for t in TARGETS[:5]] == [*(f"future_return_{h}" for h in HORIZONS), "direction_15m"]
    assert [t.id for t in TARGETS[16:]] == ["max_drawdown_1h", "max_rally_1h", "max_drawdown_4h", "max_rally_4h"]


@pytest.mark.parametrize(("horizon", "n"), HORIZONS.items())
def test_the_last_rows_have_no_target(horizon, n):
    """As many as the horizon has candles, because what follows is not there yet."""
    rows = label(candle_frame(200), PAIR)
    assert rows[f"null_reason_{horizon}"].to_list() == [0] * (200 - n) + [NullReason.CAPTURE_END] * n
    names = [target.id for target in TARGETS if target.horizon == horizon]
    assert rows.select(pl.col(names).is_null().sum()).row(0) == (n,) * len(names)
    assert (rows[f"label_end_{horizon}"] - rows["ts"]).unique().to_list() == [n * STEP]


def test_why_a_target_is_null(labelled):
    """The candle itself, or one before the horizon ends; a null has a reason and a value none."""
    reasons = labelled["null_reason_1h"]
    assert reasons[299:302].to_list() == [NullReason.HORIZON_INVALID, NullReason.NO_CANDLE, 0]
    assert reasons[295:297].to_list() == [0, NullReason.HORIZON_INVALID]
    for target in TARGETS:
        known = labelled[f"null_reason_{target.horizon}"] == 0
        assert (labelled[target.id].is_not_null() == known).all()


def test_no_target_looks_beyond_its_horizon():
    """Other candles from the horizon's end on change nothing; the candle at its end does."""
    candles = candle_frame(400)
    other = candle_frame(400, seed=8)
    row = 200
    for h, n in HORIZONS.items():
        names = [target.id for target in TARGETS if target.horizon == h]
        whole = label(candles, PAIR).select(names).row(row)
        assert label(pl.concat([candles[: row + n + 1], other[row + n + 1 :]]), PAIR).select(names).row(row) == whole
        assert label(pl.concat([candles[: row + n], other[row + n :]]), PAIR).select(names).row(row) != whole


def test_signs():
    """A fall to half is a drawdown of 1 and no rally."""
    candles = candle_frame(10).with_columns(open=100, high=100, low=100, close=100)
    fallen = candles.with_columns(low=pl.when(pl.int_range(pl.len()) == 3).then(50).otherwise("low").cast(pl.Int64))
    row = label(fallen, PAIR).row(1, named=True)
    assert (row["max_drawdown_1h"], row["max_rally_1h"], row["future_return_1h"]) == pytest.approx((1, 0, 0))


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_few_candles(rows):
    """Any number of candles gives as many rows of the schema."""
    assert CANDLE_TARGETS.conform(label(candle_frame(20)[:rows], PAIR)).height == rows


def test_shares_of_classes(labelled):
    """A row a class target; the shares of the known rows add up to one."""
    shares = classes(labelled)
    assert shares["target"].to_list() == [target.id for target in TARGETS if target.threshold]
    assert shares.select(pl.sum_horizontal(pl.exclude("target"))).to_series().to_list() == pytest.approx([1.0] * 12)
    wanted = (labelled["direction_4h"].drop_nulls() == 2).mean()
    assert shares.filter(target="direction_4h")["2"][0] == wanted
