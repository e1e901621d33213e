"""The kernel's columns are the table's, and a state without flows samples the same book."""

import numpy as np
import pytest

from ml.core.time import SECOND
from ml.market.book import kernel, layout
from ml.market.book.layout import BookStream
from ml.market.book.sampler import NO_TRADES
from ml.market.decode.events import CLEAR, SNAPSHOT
from ml.tables.schemas import AGGRESSORS, BANDS, SAMPLE_COLUMNS, SIDES


@pytest.mark.parametrize("flow", ["added", "cancelled", "traded"])
def test_flows_stand_side_by_side_and_band_by_band(flow):
    """The kernel adds side and band to the first column of a flow."""
    first = getattr(layout, flow.upper())
    found = [SAMPLE_COLUMNS[first + s * layout.N_BANDS + b] for s in range(2) for b in range(layout.N_BANDS)]
    assert found == [f"{flow}_{side}_{band}" for side in SIDES for band in BANDS]


@pytest.mark.parametrize("what", ["trade_count", "trade_volume", "trade_notional"])
def test_trades_stand_buyers_first(what):
    """The kernel adds 1 for a seller."""
    first = getattr(layout, what.upper())
    assert SAMPLE_COLUMNS[first : first + 2] == tuple(f"{what}_{aggressor}" for aggressor in AGGRESSORS)


def test_bands_are_as_wide_as_their_names_say():
    """The touch has no width; the others are named by theirs."""
    assert [f"{bps}bps" for bps in layout.BAND_BPS[1:]] == list(BANDS[1:])


def test_the_flows_that_a_closed_sample_takes_end_before_the_last_trade():
    """All columns between the ladder and the last trade are sums of one sample."""
    between = SAMPLE_COLUMNS[layout.BOOK_COLUMNS : layout.LAST_TRADE]
    assert {name.split("_")[0] for name in between} == {"ofi", "added", "cancelled", "traded", "n", "trade"}
    assert not any(name.startswith(("bid_", "ask_")) for name in SAMPLE_COLUMNS[layout.BOOK_COLUMNS :])


def test_a_state_without_flows_samples_the_same_book():
    """Only the ladder, and the same one, at half the work."""
    rng = np.random.default_rng(3)
    n = 200
    levels = 60
    side = rng.choice([1, -1], levels * n).astype(np.int8)
    price = np.where(side > 0, 1_000 - rng.integers(0, 40, side.size), 1_001 + rng.integers(0, 40, side.size))
    flags = np.zeros(n, np.int64)
    flags[0] = SNAPSHOT | CLEAR
    end = levels * np.arange(1, n + 1)
    books = BookStream(
        SECOND * np.arange(1, n + 1), np.arange(n), flags, end, side, price, rng.integers(0, 5, side.size)
    )
    states = [layout.empty_state(SECOND, 300, flows=flows) for flows in (True, False)]
    given = layout.constant(books), layout.constant(NO_TRADES)
    for state in states:
        assert kernel.run(state, *given, np.zeros(2, np.int64)) == layout.DONE
    whole, alone = (state.samples[: state.meta[layout.CLOSED]] for state in states)
    assert alone.shape == (n - 1, layout.BOOK_COLUMNS)
    np.testing.assert_array_equal(whole[:, : layout.BOOK_COLUMNS], alone)
    np.testing.assert_array_equal(states[0].meta[: layout.CLOSED], states[1].meta[: layout.CLOSED])


def test_what_the_kernel_is_given_cannot_be_written():
    """The same memory, as a table lends it; what was given stays as it was."""
    given = layout.TradeStream(*(np.zeros(3, np.int64) for _ in range(6)))
    lent = layout.constant(given)
    assert all(np.shares_memory(one, other) for one, other in zip(given, lent, strict=True))
    assert not any(column.flags.writeable for column in lent)
    assert all(column.flags.writeable for column in given)
