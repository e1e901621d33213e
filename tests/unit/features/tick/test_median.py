"""The sliding median is the median of what is in the window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick.median import add, clear, empty_median, middle
from tests.support.examples import examples


@settings(max_examples=examples(50, 200), deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_the_median_of_the_last_values(half, values):
    """Growing or sliding, with many equal values: numpy's median of the window, exactly."""
    median = empty_median(2 * half)
    for k, value in enumerate(values):
        add(median, value)
        assert middle(median) == np.median(values[max(k + 1 - 2 * half, 0) : k + 1])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40), max_size=40), st.lists(st.integers(-9, 9), min_size=1, max_size=40))
def test_what_was_forgotten_does_not_count(before, after):
    """After clear it starts over, whatever stood where."""
    median = empty_median(10)
    for value in before:
        add(median, value)
    clear(median)
    for value in after:
        add(median, value)
    assert middle(median) == np.median(after[-10:])


@pytest.mark.parametrize("order", ["rising", "falling", "random"])
def test_half_an_hour_of_two_sides(order):
    """The size in use, in orders that are hard for heaps; each window against numpy."""
    values = np.random.default_rng(1).integers(0, 10**9, 12_000)
    values = {"rising": np.sort(values), "falling": np.sort(values)[::-1], "random": values}[order]
    median = empty_median(3_600)
    for k, value in enumerate(values):
        add(median, value)
        if k % 997 == 0:
            assert middle(median) == np.median(values[max(k + 1 - 3_600, 0) : k + 1])
