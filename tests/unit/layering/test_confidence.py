"""How sure a model must be follows from the market, and one score from two."""

import pytest

from ml.layering.confidence import final_score, needed


@pytest.mark.parametrize(
    ("volatility", "liquidity", "expected"),
    [
        (None, None, 0.65),
        (0.02, 0.8, 0.65),
        (0.04, 0.8, 0.67),
        (0.06, 0.8, 0.70),
        (0.02, 0.4, 0.63),
        (0.02, 0.2, 0.60),
        (0.06, 0.2, 0.65),
        (None, 0.2, 0.60),
    ],
)
def test_the_predecessors_formula(volatility, liquidity, expected):
    """Volatile markets ask for more, thin ones for less; what is not known changes nothing."""
    assert needed(0.65, volatility, liquidity) == pytest.approx(expected)


def test_what_the_market_adds_has_a_weight():
    """None of it, or twice."""
    assert needed(0.65, 0.06, 0.8, 0.0) == pytest.approx(0.65)
    assert needed(0.65, 0.06, 0.8, 2.0) == pytest.approx(0.75)


def test_nothing_asks_for_more_than_the_most():
    assert needed(0.93, 0.06, None) == 0.95


def test_the_final_score():
    """Their mean where the model agrees, half the detector's where it does not."""
    assert final_score(0.9, 0.7, says=True) == pytest.approx(0.8)
    assert final_score(0.9, 0.1, says=False) == pytest.approx(0.45)
