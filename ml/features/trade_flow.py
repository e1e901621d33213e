"""Trade flow: who bought and sold over a window of samples.

Here: compiled functions of (samples, index, window in seconds).
Add here: a function, its line in `ml.features.table` and in `ml.features.row`, and its oracle.
Not here: changes of the book (`order_flow`).
"""

from math import log

from ml.market import layout as at
from ml.market.compiled import hot


@hot
def signed_imbalance(samples, i, window, column):  # type: ignore[no-untyped-def]
    """(bought - sold) / (bought + sold) by aggressor, of counts or volumes; 0 where nothing traded.

    `column` is the buy column; the sell column follows it.
    """
    bought = sold = 0
    for k in range(max(i - window + 1, 0), i + 1):
        bought += samples[k, column]
        sold += samples[k, column + 1]
    return (bought - sold) / (bought + sold) if bought + sold > 0 else 0.0


@hot
def trade_rate(samples, i, window):  # type: ignore[no-untyped-def]
    """ln(1 + prints per second) over a window."""
    total = 0
    for k in range(max(i - window + 1, 0), i + 1):
        total += samples[k, at.TRADE_COUNT] + samples[k, at.TRADE_COUNT + 1]
    return log(1.0 + total / window)
