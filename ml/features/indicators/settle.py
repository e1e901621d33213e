"""How long a recursive average takes to forget where it began.

Here: settle times. The settle time is the number of rows after which everything before the first row weighs less than
`FORGOTTEN`: values from there on are the same, to 1e-9, wherever the array began.
Not here: the averages (`averages`).
"""

from math import ceil, log

FORGOTTEN = 1e-12
"""The weight at which history is forgotten; below 1e-9, since a start can be a thousand times what follows it."""


def ema_settles(n: int) -> int:
    """Rows after which an EMA of n has settled."""
    return n + ceil(log(FORGOTTEN) / log(1 - 2 / (n + 1)))


def wilder_settles(n: int) -> int:
    """Rows after which Wilder's smoothing of n has settled."""
    return n + ceil(log(FORGOTTEN) / log(1 - 1 / n))
