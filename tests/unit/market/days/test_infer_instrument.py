"""Decimals, tick and lot from captures: exact for all that was seen, and no finer than needed."""

from math import gcd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.errors import InstrumentError
from ml.core.instruments import Instrument, to_units
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.replay import inspect
from tests.support.examples import examples
from tests.support.scenario import USDM, capture, chain_of, diff, snapshot, trade

T = 1_741_000_000_000


def inferred(folder, *docs):
    return infer_instrument(chain_of(capture(folder / "a.log", docs)), USDM)


@pytest.mark.parametrize(
    ("prices", "sizes", "expected"),
    [
        (("63943.90", "63944.00"), ("0.001", "1.250"), (1, 3, 1, 1)),
        (("100", "250"), ("10", "40"), (0, 0, 50, 10)),
        (("0.00071", "0.00142"), ("5.0", "7.5"), (5, 1, 71, 25)),
        (("10.5", "11.0"), ("1", "2"), (1, 0, 5, 1)),
        (("0.0000123", "0.0000124"), ("12000000", "9223372036"), (7, 0, 1, 4)),
        (("0.000000000123", "0.000000000246"), ("0.00000001", "1234567890"), (12, 8, 123, 1)),
    ],
)
def test_the_coarsest_grid_that_holds_everything(tmp_path, prices, sizes, expected):
    """Zeros at the end are no decimals; a tick may be more than one unit."""
    found = inferred(tmp_path, diff(1, 0, T, zip(prices, sizes, strict=True)))
    assert found == Instrument(USDM, *expected)


@settings(max_examples=examples(20, 60), deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=8), st.integers(0, 6))
def test_every_number_lies_on_the_grid_and_no_coarser_grid_holds_them(tmp_path_factory, levels, decimals):
    """Counts of ticks are whole and share no factor."""
    texts = [tuple(f"{n // 10**decimals}.{n % 10**decimals:0{decimals}d}".rstrip(".") for n in pair) for pair in levels]
    found = inferred(tmp_path_factory.mktemp("infer"), diff(1, 0, T, texts))
    for k, (places, step) in enumerate(((found.price_decimals, found.tick), (found.size_decimals, found.lot))):
        units = [to_units(pair[k], places) for pair in texts]
        assert gcd(*units) == step
        assert places == 0 or step % 10 != 0


def test_diffs_snapshots_and_trades_all_count(tmp_path):
    """The finest number may stand in any of them."""
    docs = [diff(1, 0, T, [("100.0", "1")]), snapshot(1, T, [("99.50", "1")], []), trade(1, T, "100.25", "0.5")]
    assert inferred(tmp_path, *docs) == Instrument(USDM, 2, 1, 25, 5)


def test_snapshot_and_diffs_may_write_other_decimals(tmp_path):
    """Zeros at the end of one are none of the other, and large sizes fit in both."""
    plain = ("0.0000123", "12000000")
    padded = ("0.00001230", "12000000.00")
    for of_diff, of_snapshot in ((plain, padded), (padded, plain)):
        docs = [diff(1, 0, T, [of_diff]), snapshot(1, T, [of_snapshot], [("0.0000125", "1")])]
        assert inferred(tmp_path, *docs) == Instrument(USDM, 7, 0, 1, 1)
        found = inspect([tmp_path / "a.log"])
        assert (found["quarantined"], found["instruments"][USDM]["best_bid"]) == ([], 0.0000123)


def test_what_would_be_quarantined_teaches_nothing(tmp_path):
    """A damaged frame or an off-market print does not make the grid finer."""
    bad = diff(2, 1, T, [("0.0001", "x")])
    good = diff(1, 0, T, [("100", "1")])
    docs = [good, bad, trade(1, T, "0.0001", "0.0001", kind="INSURANCE_FUND")]
    assert inferred(tmp_path, *docs) == Instrument(USDM, 0, 0, 100, 1)


def test_without_a_price_there_is_nothing_to_read_off(tmp_path):
    """Empty diffs name an instrument and say nothing of it."""
    with pytest.raises(InstrumentError, match="by hand"):
        inferred(tmp_path, diff(1, 0, T))


@pytest.mark.parametrize(("symbol", "expected"), [("btc", (1, 3, 1, 1)), ("eth", (2, 3, 1, 1))])
def test_recorded_captures_tell_their_grid(market, symbol, expected):
    """The grids that the venue documents for the two perpetuals."""
    chain = chain_of(market / "binance_raw" / f"usdm__{symbol}usdt_20240719.gz")
    instrument_id = f"binance-usdm.{symbol.upper()}USDT"
    assert infer_instrument(chain, instrument_id) == Instrument(instrument_id, *expected)
