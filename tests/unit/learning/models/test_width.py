"""Rows of another width are never read."""

import numpy as np
import pytest

from ml.core.errors import ModelRefused
from ml.learning.models.trained import check_width

COLUMNS = ("qi_1", "qi_5", "vpin")


def test_rows_of_the_set_pass():
    """However many there are."""
    for rows in (0, 1, 7):
        check_width(np.zeros((rows, 3)), COLUMNS, "base_3")


@pytest.mark.parametrize("shape", [(1, 2), (1, 4), (3,), (0, 0), (1, 3, 1)])
def test_any_other_shape_is_refused(shape):
    """The shape, the set, its width and its columns stand in the message."""
    with pytest.raises(ModelRefused) as refused:
        check_width(np.zeros(shape), COLUMNS, "base_3")
    for part in (str(shape), "base_3", "(rows, 3)", "qi_1 to vpin"):
        assert part in str(refused.value)
