"""Placebos change a stream in a known way: what the detector then finds follows."""

import numpy as np
import polars as pl

from ml.layering import layout, placebos
from ml.layering.finder import Finder, Flow
from ml.simulation import overlay
from tests.support.layered import BID, INSTRUMENT, MS, START, layered

TRUTH = pl.DataFrame(
    [
        {
            "episode_id": "e",
            "instrument": INSTRUMENT.id,
            "variant": "simultaneous",
            "side": 1,
            "start": START + 70_000 * MS,
            "first_pull": START + 72_000 * MS,
            "last_pull": START + 72_000 * MS,
            "prices": [BID - 5, BID - 6, BID - 7],
            "sizes": [200] * 3,
            "m": 2.0,
            "label": 1,
        }
    ],
    schema=overlay.TRUTH,
)


def flow():
    return Flow(INSTRUMENT, *layered().streams())


def clusters(changed):
    return Finder(INSTRUMENT).run(changed.books, changed.trades)


def test_a_mirrored_stream_has_the_same_clusters_on_the_other_side():
    """At mirrored prices, with the same sizes; twice mirrored it is what it was."""
    given = flow()
    swapped, truth = placebos.mirrored(given, TRUTH)
    assert truth["side"].to_list() == [-1]
    found, other = clusters(given), clusters(swapped)
    assert len(found) == 1
    np.testing.assert_array_equal(other.header[:, layout.C_SIDE], -found.header[:, layout.C_SIDE])
    np.testing.assert_array_equal(other.header[:, layout.C_VOLUME], found.header[:, layout.C_VOLUME])
    again, _ = placebos.mirrored(swapped, truth)
    np.testing.assert_array_equal(again.books.price, given.books.price)


def test_shuffled_trades_keep_times_and_trades_but_not_their_pairs():
    given = flow()
    trades = given.trades._replace(
        ts=START + np.arange(50) * MS,
        arrival=np.arange(50),
        flags=np.zeros(50, np.uint8),
        side=np.ones(50, np.int8),
        price=np.arange(50),
        size=np.arange(50),
    )
    moved, _ = placebos.shuffled(given._replace(trades=trades), TRUTH)
    np.testing.assert_array_equal(moved.trades.ts, trades.ts)
    assert sorted(moved.trades.price.tolist()) == trades.price.tolist()
    assert moved.trades.price.tolist() != trades.price.tolist()
    np.testing.assert_array_equal(moved.trades.price, moved.trades.size)


def test_backwards_every_book_comes_again_in_reverse():
    """The levels after each message, replayed plainly, are those of the stream from its end."""
    given = flow()
    turned, truth = placebos.backwards(given, TRUTH)

    def books(stream):
        levels, start, found = {}, 0, []
        for end in stream.end.tolist():
            columns = (
                stream.side[start:end].tolist(),
                stream.price[start:end].tolist(),
                stream.size[start:end].tolist(),
            )
            for side, price, size in zip(*columns, strict=True):
                levels[side, price] = size
            start = end
            found.append({level: size for level, size in levels.items() if size})
        return found

    assert books(turned.books) == books(given.books)[::-1]
    assert (np.diff(turned.books.ts) >= 0).all()
    end = int(given.books.ts[-1])
    assert truth.select("first_pull", "last_pull").row(0) == (
        end - (72_000 * MS),
        end - (70_000 * MS),
    )


def test_a_stream_ends_before_its_second_snapshot():
    """Episodes that last longer are left out."""
    given = flow()
    flags = given.books.flags.copy()
    flags[1_000] = flags[0]
    part, truth = placebos.unbroken(given._replace(books=given.books._replace(flags=flags)), TRUTH)
    assert len(part.books.ts) == 1_000
    assert len(part.books.side) == part.books.end[-1]
    assert truth.height == 0
    assert placebos.unbroken(given, TRUTH)[1].height == 1
