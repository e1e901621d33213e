"""A day's samples from its tables: which rows belong to it, and what its last minutes are worth."""

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from ml.core.time import SECOND, bounds
from ml.market.days.samples import sample_captures, tail
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.scenario import capture, chain_of, diff, snapshot, trade
from tests.unit.market.decode.streams import BTC

DATE = "2025-03-03"
NEXT = "2025-03-04"
END = bounds(DATE)[1]
MS = END // 10**6


def book(seconds, docs_between=(), first=1):
    """A diff each second, the first with its snapshot; times are seconds before or after midnight."""
    docs = []
    for k, second in enumerate(seconds):
        u = first + k
        docs.append(diff(u, u - 1, MS + second * 1_000, bids=[("98.0", f"{1 + k % 3}.000")]))
        docs += [snapshot(u, MS)] if k == 0 else []
    return [*docs, *docs_between]


def sampled(folder, docs, date=DATE):
    """Raw frames and samples; straight from the captures the samples and their tail are the same."""
    chain = chain_of(capture(folder / "a.log", docs, start_ms=MS - 60_000))
    raw = raw_day(chain, BTC, date)
    events = decode_day(raw, BTC, date)
    samples = sample_day(raw, events.book_events, events.trades, events.validity, BTC, date)
    straight = sample_captures(chain, BTC, date)
    assert_frame_equal(straight.samples, samples)
    np.testing.assert_array_equal(straight.tail, tail(raw, BTC, date))
    assert sum(straight.refused.values()) == events.quarantine.height
    return raw, samples


def test_a_day_ends_with_midnight_and_the_next_begins_after_it(tmp_path):
    """Sample t covers the second before t, so midnight's is the old day's; no row is in both or in none."""
    docs = book(range(-20, 20))
    (_, old), (raw, new) = sampled(tmp_path, docs), sampled(tmp_path, docs, NEXT)
    assert old["ts"].to_list() == [END + s * SECOND for s in range(-19, 1)]
    assert new["ts"].to_list() == [END + s * SECOND for s in range(1, 20)]
    assert old["valid"].all()
    assert new["valid"].all()
    assert tail(raw, BTC, NEXT)[:, 0].tolist() == old["ts"].to_list()


def test_a_first_day_has_no_tail(tmp_path):
    """Nothing lies before the first capture."""
    raw, _ = sampled(tmp_path, book(range(-20, -5)))
    assert len(tail(raw, BTC, DATE)) == 0


def test_a_capture_that_ends_gives_no_row_that_no_message_confirmed(tmp_path):
    """Trades go on for 5 s after the last book message: whether the book still stood then, nobody knows."""
    docs = book(range(-20, -10), [trade(1, MS - 5_000)])
    _, rows = sampled(tmp_path, docs)
    assert rows["ts"][-1] == END - 11 * SECOND
    assert rows["valid"].all()


def test_a_day_that_goes_on_is_judged_by_the_next_days_first_messages(tmp_path):
    """The book was silent over midnight; what came after shows that nothing was missing."""
    _, rows = sampled(tmp_path, book([*range(-20, -10), *range(5, 15)]))
    assert rows["ts"][-1] == END
    assert rows["valid"].all()
    assert rows["book_age"][-1] == 11 * SECOND


@pytest.mark.parametrize("missing", [1, 5])
def test_a_gap_over_midnight_takes_back_what_was_not_confirmed(tmp_path, missing):
    """The next day's first message does not follow: the rows since the last one that did are invalid."""
    docs = [*book(range(-20, -10)), *(diff(u, u - 1, MS + u * 1_000) for u in range(11 + missing, 16 + missing))]
    _, rows = sampled(tmp_path, docs)
    unknown = rows.filter(~rows["valid"])
    assert unknown["ts"].to_list() == [END + s * SECOND for s in range(-10, 1)]
    assert unknown["bid_price_1"].null_count() == unknown.height
