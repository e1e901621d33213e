"""The market around a cue is what the samples up to it say."""

import numpy as np
import polars as pl
import pytest

from ml.core.instruments import Instrument
from ml.layering.context import NEEDED, context
from ml.tables.schemas import NullReason

INSTRUMENT = Instrument("sim.SIMUSDT", 1, 3, 1, 1)
SECOND = 10**9
START = 1_740_960_000 * SECOND
MIDS = np.where(np.arange(200) % 2 == 0, 100_000.0, 100_100.0)
"""Of each minute, in units of the price: ten basis points up and down in turn."""


def samples(minutes=180, mids=MIDS, valid=None):
    """A second each: the mid of its minute, 21 units of spread, 10 lots a level, 100 traded for 2 and 1 for 4 lots."""
    count = minutes * 60
    ts = START + (np.arange(count) + 1) * SECOND
    minute = (np.arange(count) + 1) // 60
    mid = mids[minute].astype(np.int64)
    columns = {name: np.full(count, 10, np.int64) for name in NEEDED if "_size_" in name}
    columns |= {
        "ts": ts,
        "bid_price_1": mid - 10,
        "ask_price_1": mid + 10,
        "trade_notional_buy": np.full(count, 20_000, np.int64),
        "trade_notional_sell": np.full(count, 10_000, np.int64),
        "valid": np.ones(count, bool) if valid is None else valid,
    }
    return pl.DataFrame(columns).select(NEEDED)


def at(minute, given=None):
    """The context just after a minute is over."""
    times = np.array([START + minute * 60 * SECOND + 5 * 10**8])
    return context(times, samples() if given is None else given, INSTRUMENT).row(0, named=True)


def test_every_quantity_is_computed():
    """Two hours: 119 returns of ln 1.001 up and down; 30 000 units of 10^-4 a second."""
    found = at(120)
    returns = np.log(1.001) * np.where(np.arange(119) % 2 == 0, 1, -1)
    assert found["volatility_24h"] == pytest.approx(returns.std(ddof=1) * np.sqrt(1440), rel=1e-9)
    assert found["volume_24h"] == pytest.approx(7200 * 30_000 / 1e4)
    assert found["spread_bps"] == pytest.approx(1e4 * 20 / 100_000)
    assert (found["liquidity"], found["market_regime"], found["context_hours"]) == (1.0, "ranging", pytest.approx(2))
    assert found["null_reason_context"] == NullReason.NONE


def test_what_comes_later_changes_nothing():
    """The price doubles just after the cue."""
    later = np.where(np.arange(200) > 120, 200_000.0, MIDS)
    assert at(120, samples(mids=later)) == at(120) == at(120, samples(minutes=121))


@pytest.mark.parametrize(("step", "regime"), [(150, "bullish"), (-150, "bearish")])
def test_an_hour_of_one_direction_is_a_regime(step, regime):
    """Fifteen basis points a minute on top of ten up and down: far more than the root of sixty minutes explains."""
    trend = MIDS + np.where(np.arange(200) > 60, np.arange(200) - 60, 0) * step
    assert at(125, samples(mids=trend))["market_regime"] == regime


def test_a_thin_book_is_told_from_the_usual_one():
    """Thinner than in all but its own minute."""
    given = samples()
    thin = pl.col("ts") > START + 119 * 60 * SECOND
    given = given.with_columns(
        pl.when(thin).then(1).otherwise(pl.col(name)).alias(name) for name in NEEDED if "_size_" in name
    )
    assert at(120, given)["liquidity"] == pytest.approx(1 / 120)


def test_an_hour_is_needed():
    """Before it only what the last second tells is known."""
    found = at(60)
    assert found["null_reason_context"] == NullReason.WARM_UP
    assert found["volatility_24h"] is found["volume_24h"] is found["liquidity"] is found["market_regime"] is None
    assert found["spread_bps"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("unknown", "reason"),
    [(slice(120 * 60 - 5, None), NullReason.INVALID_BOOK), (slice(59 * 60, 61 * 60), NullReason.INVALID_BOOK)],
    ids=["now", "an hour ago"],
)
def test_an_unknown_book_is_a_reason(unknown, reason):
    valid = np.ones(180 * 60, bool)
    valid[unknown] = False
    found = at(120, samples(valid=valid))
    assert (found["market_regime"], found["null_reason_context"]) == (None, reason)


def test_no_sample_is_a_reason():
    """Beyond the last one, and before the first."""
    assert at(181)["null_reason_context"] == NullReason.STALE
    assert at(-1)["null_reason_context"] == NullReason.STALE
