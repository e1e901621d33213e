"""Levels as texts into exact units."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.decode.events import ASK, BID, BookMessage
from ml.market.venues.levels import add_levels, check_levels
from tests.support.scenario import USDM

BTC = Instrument(USDM, 2, 3, 1, 1)
SIDE = st.lists(st.tuples(st.integers(1, 10**10), st.integers(0, 10**12)), max_size=5)


def message():
    return BookMessage(False, 1, 1, 1, 2, 0)


def text(units, decimals):
    whole, rest = divmod(units, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}"


@given(SIDE, SIDE)
def test_every_level_is_exact_and_in_order(bids, asks):
    """Bids before asks, each in the venue's order; no float comes near a price."""
    texts = [[(text(price, 2), text(size, 3)) for price, size in side] for side in (bids, asks)]
    found = add_levels(message(), *texts, BTC)
    assert found.side == [BID] * len(bids) + [ASK] * len(asks)
    assert list(zip(found.price, found.size, strict=True)) == [*bids, *asks]


def test_levels_are_added_to_what_is_there():
    """A message is filled, not replaced."""
    first = add_levels(message(), [("1.00", "1")], [], BTC)
    assert add_levels(first, [], [("2.00", "1")], BTC).price == [100, 200]


@pytest.mark.parametrize(
    ("price", "size", "reason"),
    [
        ("0", "1", "price_zero"),
        ("-1.00", "1", "price_zero"),
        ("1.00", "-0.001", "bad_number"),
        ("1.001", "1", "off_grid"),
        ("1.00", "0.0001", "off_grid"),
        ("nan", "1", "bad_number"),
        ("1.00", "", "bad_number"),
        ("1e30", "1", "bad_number"),
    ],
)
@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_level_that_has_no_sense_is_refused(price, size, reason, side):
    """On either side, with the quarantine's reason."""
    levels = [("1.00", "1"), (price, size)]
    with pytest.raises(FrameError) as caught:
        add_levels(message(), levels if side == "bid" else [], levels if side == "ask" else [], BTC)
    assert caught.value.reason == reason


@pytest.mark.parametrize("level", ["1.00", ("1.00",), ("1.00", "1", "x")])
def test_a_level_is_a_pair(level):
    """Anything else is no level; the parsers turn the error into a bad frame."""
    with pytest.raises(ValueError, match="unpack"):
        add_levels(message(), [level], [], BTC)


NUMBER = st.one_of(
    st.integers(0, 10**20).map(str),
    st.decimals(0, 10**6, places=4).map(str),
    st.sampled_from(["0", "0.0", "00.1", "1.", ".5", "-1", "1e3", "", " ", "1 2", "1;2", "x", "NaN", "1_0", "\u0661"]),
)


@given(st.lists(st.lists(NUMBER, min_size=1, max_size=3), max_size=3))
@example([["1", "1;2", "0"]])
@example([["1 2"]])
@example([["1", "2;3 4"]])
def test_levels_are_checked_as_they_are_read(levels):
    """What the check refuses cannot be read; what it lets through can, but for decimals and range of an instrument."""
    read = refused(lambda: add_levels(message(), levels, [], Instrument(USDM, 4, 4, 1, 1)))
    assert refused(lambda: check_levels(levels)) == read or read in ("off_grid", "bad_number")


def refused(act):
    """What the action says of the levels."""
    try:
        act()
    except FrameError as error:
        return error.reason
    except ValueError:
        return "shape"
    return ""
