"""A venue's row in whole units: exact, or refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.candles.klines import LAYOUTS, candle, stamp
from ml.capture.plans import PLANS
from ml.core.errors import CaptureError, FrameError
from ml.core.instruments import Instrument
from ml.core.time import MINUTE
from tests.support.kline_server import row

USDM = Instrument("binance-usdm.BTCUSDT", price_decimals=1, size_decimals=3, tick=1, lot=1)
OPENED = 1_741_046_400_000


def changed(position, value):
    values = row(OPENED)
    values[position] = value
    return values


def test_a_row_is_exact():
    """Prices and sizes in units, the turnover in units of both, the counts as they are."""
    assert candle(row(OPENED), USDM) == {
        "open": 1000,
        "high": 1010,
        "low": 990,
        "close": 1005,
        "volume": 1500,
        "notional": 1_507_500,
        "n_trades": 7,
        "buy_volume": 500,
    }


@pytest.mark.parametrize("venue", LAYOUTS)
def test_what_a_venue_does_not_say_is_null(venue):
    """Turnover only where it is price x size: not where contracts are traded."""
    values = candle(row(OPENED), Instrument(f"{venue}.X", price_decimals=1, size_decimals=3, tick=1, lot=1))
    assert (values["n_trades"] is not None) == (values["buy_volume"] is not None) == venue.startswith("binance")
    assert (values["notional"] is not None) == (venue not in ("binance-coinm", "bybit-inverse", "okx-swap"))


def test_every_venue_that_is_captured_has_a_layout():
    """What can be captured can be compared."""
    assert LAYOUTS.keys() == PLANS.keys()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (row(OPENED)[:9], "bad_frame"),
        (changed(1, "x"), "bad_number"),
        (changed(1, None), "bad_number"),
        (changed(5, "-1"), "bad_number"),
        (changed(5, "99999999999999999999"), "bad_number"),
        (changed(5, "1.0001"), "off_grid"),
        (changed(4, "100.25"), "off_grid"),
        (changed(2, "99.0"), "bad_frame"),
        (changed(3, "0"), "bad_frame"),
        (changed(3, "101.0"), "bad_frame"),
        (changed(7, "nan"), "bad_number"),
        (changed(7, "1e99"), "bad_number"),
        (changed(8, 1.5), "off_grid"),
    ],
)
def test_what_cannot_be_is_refused(values, reason):
    """Each with the quarantine's reason."""
    with pytest.raises(FrameError) as refused:
        candle(values, USDM)
    assert refused.value.reason == reason


@given(
    st.lists(st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.text())), max_size=12)
)
def test_no_row_crashes(values):
    """Whatever a venue sends is a candle or an error of ours."""
    try:
        stamp(values, "1m")
        candle(values, USDM)
    except (FrameError, CaptureError):
        return
    assert len(values) >= 10


def test_a_row_is_stamped_with_its_close():
    """A candle that opens at 00:00 is stamped 00:01; as text, too."""
    assert stamp([OPENED], "1m") == OPENED * 10**6 + MINUTE
    assert stamp([str(OPENED)], "5m") == OPENED * 10**6 + 5 * MINUTE


@pytest.mark.parametrize(
    "values", [[], ["x"], [None], [OPENED + 1], [float("inf")], {"openTime": OPENED}, "1741046400000", 7]
)
def test_no_stamp_or_one_off_the_grid_is_refused(values):
    """Nobody could say which candle that is."""
    with pytest.raises(CaptureError):
        stamp(values, "1m")
