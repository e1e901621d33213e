"""Update-id rules: what each venue's documents say of a diff beside the book and the snapshot."""

import pytest

from ml.market.decode.events import BookMessage
from ml.market.decode.id_rules import RULES
from ml.market.venues.dialects import DIALECTS


def diff(first, last, prev):
    return BookMessage(False, 0, 0, first, last, prev)


def test_every_venue_has_a_rule():
    """Else its frames could be parsed and never followed."""
    assert set(RULES) == set(DIALECTS)


@pytest.mark.parametrize(
    ("venue", "message", "follows"),
    [
        ("binance-usdm", diff(14, 20, 10), True),  # `pu` names the last `u`, whatever `U` is
        ("binance-usdm", diff(11, 20, 9), False),
        ("binance-spot", diff(11, 20, -1), True),  # `U` is one more than the last `u`
        ("binance-spot", diff(12, 20, -1), False),
        ("binance-spot", diff(10, 20, -1), False),  # that was the rule of the first one after a snapshot
        ("bybit-linear", diff(11, 11, -1), True),
        ("bybit-linear", diff(12, 12, -1), False),
        ("bybit-linear", diff(10, 10, -1), False),
        ("bybit-linear", diff(4, 4, -1), False),
        ("okx-swap", diff(30, 30, 10), True),
        ("okx-swap", diff(11, 11, 9), False),
        ("okx-swap", diff(30, 30, 11), False),
        ("coinbase-spot", diff(11, 11, 10), False),  # its messages have no ids to follow
    ],
)
def test_a_diff_names_the_one_before_it(venue, message, follows):
    """The last id that was applied is 10."""
    assert RULES[venue].follows(message, 10) is follows


@pytest.mark.parametrize(
    ("venue", "message", "precedes", "straddles"),
    [
        ("binance-usdm", diff(5, 9, 4), True, False),
        ("binance-usdm", diff(5, 10, 4), False, True),  # "u < lastUpdateId" is dropped, so its own id is applied
        ("binance-usdm", diff(12, 15, 9), False, True),  # ids of other symbols lie between
        ("binance-usdm", diff(13, 15, 12), False, False),
        ("binance-spot", diff(5, 10, -1), True, False),  # "u <= lastUpdateId" is dropped
        ("binance-spot", diff(9, 12, -1), False, True),
        ("binance-spot", diff(12, 15, -1), False, False),
    ],
)
def test_the_first_diff_after_a_snapshot(venue, message, precedes, straddles):
    """The snapshot's id is 10."""
    assert RULES[venue].precedes(message, 10) is precedes
    assert RULES[venue].straddles(message, 10) is straddles
