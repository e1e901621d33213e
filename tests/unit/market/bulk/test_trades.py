"""Trades that the ordinary parser reads between books that shapes read: the same events as one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.instruments import Instrument
from tests.support.examples import examples
from tests.unit.market.bulk.test_bulk_decode import assert_same, columns, decoded
from tests.unit.market.decode.streams import T

LINEAR = Instrument("bybit-linear.X", 1, 3, 1, 1)
PRINTS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(-2_000, 2_000), st.sampled_from(["1.000", "2.000", "0"])), max_size=3
)
"""Number, time and size of the trades of a frame: some come again, some are invalid, some are late."""


@settings(max_examples=examples(50, 200), deadline=None)
@given(st.lists(st.one_of(st.none(), st.booleans(), PRINTS), max_size=25), st.integers(1, 3))
def test_any_trades_between_books_of_bybit(steps, parts):
    """A book message (None; with a snapshot, or with one missing before it) or a frame of trades, at each step."""
    docs = [book(7, "snapshot")]
    update = 7
    for step in steps:
        if isinstance(step, list):
            docs.append(trade_rows(*step))
        else:
            update += 1 + (step is False)
            docs.append(book(update, "snapshot" if step else "delta"))
    given_ = columns([(doc, (T + 50 * k) * 10**6) for k, doc in enumerate(docs)])
    assert_same(given_, LINEAR, parts=parts)


def trade_rows(*entries):
    data = [{"T": T + ms, "s": "X", "S": "Buy", "v": size, "p": "99.0", "i": f"a-{n}"} for n, ms, size in entries]
    return {"topic": "publicTrade.X", "type": "snapshot", "ts": T, "data": data}


def book(update, what):
    data = {"s": "X", "b": [["98.0", f"{update}.000"]], "a": [["101.0", "1.000"]], "u": update, "seq": 1}
    return {"topic": "orderbook.200.X", "type": what, "ts": T + update, "data": data, "cts": T + update}


def test_a_frame_of_several_trades_is_one_event_and_keeps_its_books_together():
    """Its time is the latest of theirs; trades come with their own times, sides and ids."""
    docs = [book(7, "snapshot"), book(8, "delta"), trade_rows((1, 5, "1.000"), (2, 9, "2.000")), book(9, "delta")]
    stream, log, refused = decoded(columns([(doc, (T + 50 * k) * 10**6) for k, doc in enumerate(docs)]), LINEAR)
    assert (refused, stream.decoder.tally.trades, stream.decoder.tally.book_messages) == ([], 2, 3)
    assert (log.trade_ids, list(log.trade_columns["event_ts"])) == (["a-1", "a-2"], [(T + 5) * 10**6, (T + 9) * 10**6])
    assert list(log.trade_columns["frame_ts"]) == [(T + 9) * 10**6] * 2
