"""Canaries of candle features: the product passes, code that peeks or remembers too long does not."""

import polars as pl
import pytest

from ml.evaluation.canaries import candles as candle_canaries
from ml.features.candle.sets import CandleSet, Column
from tests.support.candles import PAIR, candle_frame

SMALL = CandleSet(
    "two", "15m", ("1h",), (Column("last", "c", "quote"), Column("mean", "mean c, 5", "quote", 5)), ("f",)
)
"""A set of two columns, so that a canary takes no time."""


def honest(candles, _):
    return candles.select("ts", last=pl.col("close") / 1.0, mean=pl.col("close").rolling_mean(5))


def peeking(candles, _):
    return honest(candles, _).with_columns(last=(candles["close"].shift(-1) / 1.0).fill_null(candles["close"][-1]))


def remembering(candles, _):
    return honest(candles, _).with_columns(
        mean=candles["close"].cum_sum() / pl.int_range(1, candles.height + 1, eager=True)
    )


def verdicts(code, rows=400):
    candles = candle_frame(rows)
    found = candle_canaries.run(candles, PAIR, code(candles, PAIR), code, SMALL)
    return {canary.name: canary.passed for canary in found}


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        (honest, set()),
        (peeking, {"truncation", "future_scramble"}),
        (remembering, {"truncation"}),
    ],
)
def test_who_passes(code, broken):
    """Honest code passes all; a peek shows in what is cut off and scrambled, a long memory in the trailing window."""
    assert {name for name, passed in verdicts(code).items() if not passed} == broken


def test_a_canary_that_catches_nothing_fails(monkeypatch):
    """A truncation that always passes does not see the planted leak."""
    blind = candle_canaries.Canary("truncation", True, 0, 0, "")
    monkeypatch.setattr(candle_canaries, "truncation", lambda *_: blind)
    assert not verdicts(honest)["planted_leak"]


def test_nothing_known_is_no_failure():
    """A month without a candle has nothing to leak, nor has one of a new instrument, whose rows are all null."""
    assert all(verdicts(honest, 1).values())
    null = pl.lit(None, pl.Float64)
    assert all(verdicts(lambda candles, _: candles.select("ts", last=null, mean=null)).values())
