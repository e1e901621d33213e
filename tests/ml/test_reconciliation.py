"""Our candles beside a venue's: what agrees, what differs, and that a quiet minute is no outage."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.candles import MINUTE
from ml.reconciliation import COMPARED, reconcile
from ml.schemas import TABLES

SCHEMA = TABLES["candles"]
TRADED = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 5, "notional": 53, "n_trades": 3, "buy_volume": 2}
QUIET = dict.fromkeys(TRADED, 0) | dict.fromkeys(("open", "high", "low", "close"))
REPEATED = QUIET | dict.fromkeys(("open", "high", "low", "close"), 11)
UNKNOWN = {"reason": "silent"}
ABSENT = {"reason": "not_published"}


def candles(*values):
    """Candles of successive minutes, None for no row."""
    rows = [{"ts": (k + 1) * MINUTE} | value for k, value in enumerate(values) if value is not None]
    return pl.DataFrame(rows, schema=SCHEMA)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (TRADED, TRADED, "agree"),
        (TRADED, TRADED | {"n_trades": None, "buy_volume": None, "notional": None}, "agree"),
        (TRADED, TRADED | {"notional": 52}, "agree"),
        (QUIET, REPEATED, "quiet"),
        (QUIET, ABSENT, "quiet"),
        (QUIET, None, "quiet"),
        (TRADED, TRADED | {"close": 12}, "differs"),
        (TRADED, REPEATED, "differs"),
        (QUIET, TRADED, "differs"),
        (UNKNOWN, TRADED, "not_captured"),
        (None, REPEATED, "not_captured"),
        (TRADED, ABSENT, "not_published"),
        (TRADED, None, "not_published"),
        (UNKNOWN, ABSENT, "neither"),
        (UNKNOWN, None, "neither"),
    ],
)
def test_each_pair_has_one_verdict(ours, theirs, verdict):
    """A quiet minute agrees with a repeated price and with no candle, and with nothing else."""
    found = reconcile(candles(ours), candles(theirs))
    assert found.counts == {verdict: 1}
    assert set(found.differences["verdict"]) == {verdict} & {"differs", "not_captured", "not_published"}


def test_differences_name_the_column_and_both_values():
    """A row per value; a one-sided candle shows its volume."""
    found = reconcile(candles(TRADED, UNKNOWN, TRADED), candles(TRADED | {"close": 12, "n_trades": 4}, TRADED))
    assert found.differences.rows() == [
        (MINUTE, "differs", "close", 11, 12),
        (MINUTE, "differs", "n_trades", 3, 4),
        (2 * MINUTE, "not_captured", "volume", None, 5),
        (3 * MINUTE, "not_published", "volume", 5, None),
    ]
    assert found.counts == {"differs": 1, "not_captured": 1, "not_published": 1}


@given(st.data())
def test_one_changed_value_is_the_one_difference(data):
    """Whatever column and minute it is in."""
    given_candles = candles(*[TRADED] * 5)
    minute, column = data.draw(st.integers(0, 4)), data.draw(st.sampled_from(COMPARED))
    changed = given_candles.with_columns(
        pl.when(pl.int_range(pl.len()) == minute).then(pl.col(column) + 1).otherwise(column).alias(column)
    )
    found = reconcile(given_candles, changed)
    assert found.differences.select("ts", "column").rows() == [((minute + 1) * MINUTE, column)]
    assert found.counts == {"agree": 4, "differs": 1}
