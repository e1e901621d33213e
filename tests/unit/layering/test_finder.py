"""A flow is cut at a time, and the rest begins with the book as it stood."""

import numpy as np

from ml.layering.finder import Finder, Flow
from ml.simulation import overlay
from tests.support.layered import INSTRUMENT, MS, START, layered


def whole():
    return Flow(INSTRUMENT, *layered(140).streams())


def test_two_parts_are_the_whole():
    """Taken one after the other they give the same clusters; no message or trade is lost."""
    flow = whole()
    parts = flow.cut(START + 71_000 * MS)
    finder = Finder(INSTRUMENT)
    found = [finder.run(part.books, part.trades) for part in parts]
    expected = Finder(INSTRUMENT).run(flow.books, flow.trades)
    assert sum(len(part.trades.ts) for part in parts) == len(flow.trades.ts) == 1
    np.testing.assert_array_equal(np.concatenate([one.header for one in found]), expected.header)
    assert all(part.books.end[-1] == len(part.books.side) for part in parts)


def test_the_rest_begins_with_the_book():
    """Without it nothing could be planted before the next snapshot."""
    before, after = whole().cut(START + 71_000 * MS)
    books = overlay.opened(after.books, before.books)
    assert not overlay.tape(after.books, after.trades, INSTRUMENT).known.any()
    assert overlay.tape(books, after.trades, INSTRUMENT).known[1:].all()
    end = [overlay.book_at(stream, len(stream.ts)) for stream in (whole().books, books)]
    for one, other in zip(*end, strict=True):
        np.testing.assert_array_equal(one, other)
