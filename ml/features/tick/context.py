"""Context: what time it is, and how old the book.

Here: compiled functions of one sample.
Not here: anything of the market's own.
"""

from math import cos, pi, sin

from ml.core.time import DAY_NS, SECOND
from ml.market.book import layout as at
from ml.market.book.compiled import njit_no_alloc

FUNDING = 8 * 3600 * SECOND
"""Most perpetual contracts fund at 00, 08 and 16 UTC; a venue's own calendar is not asked."""


@njit_no_alloc
def fill(row, out):  # type: ignore[no-untyped-def]
    """Sine and cosine of the time of day, hours to the next funding time, age of the book in ms."""
    angle = 2 * pi * (row[at.TS] % DAY_NS) / DAY_NS
    out[0] = sin(angle)
    out[1] = cos(angle)
    out[2] = (FUNDING - row[at.TS] % FUNDING) / (3600.0 * SECOND)
    out[3] = row[at.BOOK_AGE] / 1e6
