"""What the table of `unified_240` claims, and what became of the old list."""

from ml.features.candle.columns import FAMILIES, TIMEFRAMES
from ml.features.candle.table import _OLD, IN_PLACE, REPLACED, UNIFIED

LEAKY = "leaks the target, or a constant that stands for an exit time"


def test_240_columns_of_distinct_names():
    """As the set's name says; every column of every family is in it."""
    assert len(UNIFIED.names) == len(set(UNIFIED.names)) == 240
    assert set(UNIFIED.names) == {column.id for family in FAMILIES.values() for column in family}
    assert len({column.formula for column in UNIFIED.columns}) == 240


def test_what_was_replaced_stands_for_nothing_honest():
    """Thirteen that leak or are dummies, seventeen more; what stands in their places is of closed coarse candles."""
    replaced = [name for names in REPLACED.values() for name in names]
    assert len(REPLACED[LEAKY]) == 13
    assert len(replaced) == len(set(replaced)) == len(IN_PLACE) == 30
    assert set(replaced) & set(UNIFIED.names) == set()
    assert set(IN_PLACE.values()) <= {column.id for column in TIMEFRAMES}


def test_the_other_names_keep_their_places():
    """A model of the old list finds each column where it was."""
    kept = [(k, name) for k, name in enumerate(_OLD) if name not in IN_PLACE]
    assert len(kept) == 210
    assert [UNIFIED.names[k] for k, _ in kept] == [name for _, name in kept]
