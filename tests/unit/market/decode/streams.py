"""Generated streams of USD-M frames: diffs, trades, snapshots, gaps, losses, repeats, late times, empty sides."""

from hypothesis import strategies as st

from ml.core.instruments import Instrument
from tests.support.scenario import USDM, diff, snapshot, trade

BTC = Instrument(USDM, 1, 3, 1, 1)
T = 1_741_000_000_000
"""Time of the first frame, ms."""

DEEP = ([(f"{p}.0", "1.000") for p in range(99, 69, -1)], [(f"{p}.0", "1.000") for p in range(101, 131)])
"""Bids and asks of a book with more levels than a sample holds."""
_SIDE = st.lists(st.tuples(st.integers(95, 106), st.integers(0, 4)), max_size=3)
_WAIT = st.integers(-1_000, 3_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("diff"), _WAIT, _SIDE, _SIDE, st.sampled_from([0, 0, 0, 1])),
        st.tuples(st.just("trade"), _WAIT, st.integers(95, 106), st.integers(1, 4), st.booleans()),
        st.tuples(st.just("snapshot"), st.integers(0, 3)),
        st.tuples(st.just("again"), st.integers(1, 4)),
        st.tuples(st.just("loss"), st.booleans()),
    ),
    max_size=30,
)
"""A diff (with how many ids are missing before it), a trade, a snapshot some ids old, an earlier frame once more,
a note that frames may be missing of the line with the books or of another."""


def ids_taken(steps) -> int:
    """How many update ids the steps use up."""
    return sum(1 + step[4] for step in steps if step[0] == "diff")


def frames(steps, first_id: int = 1, start_ms: int = T):
    """Frames (document, receive time in ns) of the steps, which follow a first diff and its snapshot."""
    u = first_id
    ms = start_ms
    trade_rows = 0
    docs = [diff(u, u - 1, ms), snapshot(u, ms, *DEEP)]
    for kind, *step in steps:
        if kind == "snapshot":
            docs.append(snapshot(max(u - step[0], 0), ms))
        elif kind == "again":
            docs.append(docs[-min(step[0], len(docs))])
        elif kind == "loss":
            docs.append({"loss": "overflow", "symbol": "BTCUSDT", "books": step[0]})
        elif kind == "diff":
            wait, bids, asks, missing = step
            u = u + 1 + missing
            ms = max(ms + wait, start_ms)
            docs.append(diff(u, u - 1, ms, _texts(bids), _texts(asks)))
        else:
            wait, price, size, maker = step
            trade_rows = trade_rows + 1
            ms = max(ms + wait, start_ms)
            docs.append(trade(trade_rows, ms, f"{price}.0", f"{size}.000", maker))
    return [(doc, (start_ms + 50 * k) * 10**6) for k, doc in enumerate(docs)]


def _texts(levels):
    return [(f"{price}.0", f"{size}.000") for price, size in levels]
