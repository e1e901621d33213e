"""Family `consensus` of `unified_240` against the oracle."""

import pytest

from ml.features.candle import columns


@pytest.mark.parametrize("column", columns.CONSENSUS, ids=lambda column: column.id)
def test_as_the_oracle(as_the_oracle, column):
    """Every value from the declared look-back on."""
    as_the_oracle(column)
