"""Samples to a table and back, and stored events to the kernel's arrays."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.market.book import layout
from ml.market.days.tables import book_stream, samples_array, samples_frame, trade_stream
from ml.market.decode.events import CLEAR, LAST, SNAPSHOT
from ml.tables.schemas import LEVELS, SCHEMAS
from ml.tables.spec import conform


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(0, 20), st.floats(0, 1))
def test_samples_survive_the_table_and_back(seed, rows, share):
    """Whatever is absent: levels, the last trade, the age of a book that is not known."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(1, 10**9, (rows, layout.COLUMNS))
    ladder = slice(layout.BID_PRICE, layout.BOOK_COLUMNS)
    samples[:, ladder] *= rng.random(samples[:, ladder].shape) < share
    samples[:, layout.LAST_TRADE] *= rng.random(rows) < share
    samples[:, layout.BOOK_AGE] = np.where(rng.random(rows) < share, samples[:, layout.BOOK_AGE], -1)
    samples[:, layout.VALID] = rng.random(rows) < share
    frame = conform(samples_frame(samples), SCHEMAS["book_samples"], "book_samples")
    np.testing.assert_array_equal(samples_array(frame), samples)
    assert_frame_equal(samples_frame(samples_array(frame)), frame)


PRINTED = ["trade_price_high", "trade_price_low", "last_trade_price"]


def test_what_is_absent_is_null_and_what_is_zero_is_zero():
    """No level, no print and no age are null; no flow in a second is 0, and a book just changed has age 0."""
    row = np.zeros((1, layout.COLUMNS), np.int64)
    row[0, layout.TRADES_RUN] = 1
    frame = samples_frame(row)
    absent = [name for name in frame.columns if frame[name][0] is None]
    assert [name for name in absent if not name.startswith(("bid_", "ask_"))] == PRINTED
    assert len(absent) == 4 * LEVELS + len(PRINTED)
    assert (frame["book_age"][0], frame["n_updates"][0], frame["valid"][0]) == (0, 0, False)
    row[0, layout.BOOK_AGE] = -1
    assert samples_frame(row)["book_age"][0] is None


def events(*rows):
    """A table `book_events`: rows of arrival, time, flags, price."""
    arrival, ts, flags, price = zip(*rows, strict=True)
    schema = SCHEMAS["book_events"]
    frame = pl.DataFrame({"arrival": arrival, "event_ts": ts, "flags": flags, "price": price}, schema_overrides=schema)
    return frame.with_columns(side=pl.lit(1, pl.Int8), size=pl.lit(2, pl.Int64))


def test_rows_are_put_together_into_messages():
    """A message ends at its last row; two messages may share an arrival, as a break and what broke the chain do."""
    frame = events(
        (1, 10, SNAPSHOT | CLEAR, 99),
        (1, 10, SNAPSHOT, 98),
        (1, 10, SNAPSHOT | LAST, 97),
        (2, 20, CLEAR | LAST, 0),
        (2, 20, 0, 96),
        (2, 20, LAST, 95),
    )
    stream = book_stream(frame)
    assert (stream.ts.tolist(), stream.arrival.tolist()) == ([10, 20, 20], [1, 2, 2])
    assert stream.end.tolist() == [3, 4, 6]
    assert [int(flag) & (CLEAR | SNAPSHOT) for flag in stream.flags] == [CLEAR | SNAPSHOT, CLEAR, 0]
    assert stream.price.tolist() == [99, 98, 97, 0, 96, 95]


def test_arrays_are_of_the_compiled_types():
    """And contiguous, also for a table without rows; levels are the table's own memory."""
    for frame in (events((1, 10, LAST, 99)), events((1, 10, LAST, 99)).clear()):
        for name, array in book_stream(frame)._asdict().items():
            assert array.dtype == (np.int8 if name == "side" else np.int64)
            assert array.flags.c_contiguous
            lent = name in ("side", "price", "size") and frame.height
            assert not lent or np.shares_memory(array, frame[name].to_numpy())


def test_the_trades_of_a_frame_share_its_latest_time():
    """They arrived together, whatever their own times are."""
    columns = {"arrival": [1, 1, 2], "event_ts": [9, 7, 8], "side": [1, -1, 1], "price": [5, 6, 7], "size": [1, 2, 3]}
    columns["flags"] = [0, 0, 16]
    stream = trade_stream(pl.DataFrame(columns))
    assert stream.ts.tolist() == [9, 9, 8]
    assert [a.tolist() for a in stream[1:]] == [[1, 1, 2], [0, 0, 16], [1, -1, 1], [5, 6, 7], [1, 2, 3]]
