"""Exact units, and what an instrument may be."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import FrameError, InstrumentError
from ml.core.instruments import Instrument, to_units


@given(st.decimals(min_value=0, max_value=10**9, places=5), st.integers(5, 9))
def test_units_are_what_decimal_arithmetic_says(number, decimals):
    """Any decimal text with few enough decimals converts without rounding."""
    assert to_units(f"{number:f}", decimals) == int(number * Decimal(10) ** decimals)


@pytest.mark.parametrize(
    ("text", "units"), [("63943.90", 639439), ("5", 50), ("-1.5", -15), ("1e3", 10_000), ("0.0", 0)]
)
def test_spellings(text, units):
    """Trailing zeros, signs and exponents are numbers too."""
    assert to_units(text, 1) == units


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.05", "off_grid"),
        ("NaN", "bad_number"),
        ("abc", "bad_number"),
        ("", "bad_number"),
        ("1e40", "bad_number"),
        ("\u0661", "bad_number"),
        ("922337203685477580.8", "bad_number"),
        ("-9223372036854775808e1", "bad_number"),
    ],
)
def test_what_is_refused(text, reason):
    """Text that is no number, or needs more decimals than the instrument has, is an error with its reason."""
    with pytest.raises(FrameError) as error:
        to_units(text, 1)
    assert error.value.reason == reason


@pytest.mark.parametrize("symbol", ["a/b", "../x", "a|b", "a,b", "a[0]", "a\nb", "a\0b"])
def test_a_symbol_is_a_file_name_and_a_partition_key(symbol):
    """Said when it is listed, not by a traceback of Dagster or by a file in another folder."""
    with pytest.raises(InstrumentError, match="file name"):
        Instrument(f"binance-spot.{symbol}", 1, 1, 1, 1)


@pytest.mark.parametrize("fields", [{"id": "BTCUSDT"}, {"tick": 0}, {"price_decimals": -1}, {"contract_size": 0}])
def test_an_instrument_must_make_sense(fields):
    """An id without venue, or a number without sense, is refused when it is listed."""
    with pytest.raises(InstrumentError):
        Instrument(**({"id": "a.B", "price_decimals": 1, "size_decimals": 1, "tick": 1, "lot": 1} | fields))
