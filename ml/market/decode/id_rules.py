"""Update-id rules: how the ids of each feed connect a message to the one before it.

Here: one rule per feed, and which venues count their trades.
Add here: the rule of another feed.
Not here: following a chain of ids (`ml.market.decode.continuity`).

Sources: Binance "How to manage a local order book correctly" (USD-M, COIN-M, spot); Bybit V5 "Orderbook" (snapshot,
delta, u = 1); OKX V5 "Order book channel" (seqId, prevSeqId).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from ml.market.decode.events import BookMessage

COUNTED_TRADES = frozenset({"binance-spot", "binance-usdm", "binance-coinm", "coinbase-spot"})
"""Venues that count the trades of a symbol by one, those outside the market among them, and send them in that order: a
number left out is a trade that was not captured. Bybit names trades at random, OKX leaves out those that it sums up."""


class Link(Enum):
    """How a diff names the one before it."""

    PREV = auto()
    """By its last id."""
    NEXT = auto()
    """Its own first id is the next."""
    NONE = auto()
    """Not at all."""


def follows(chained: bool, first_id: int, prev_id: int, last: int) -> bool:
    """Whether a diff is the next after an id, by its link PREV (`chained`) or NEXT; `bulk` compiles it, too."""
    return prev_id == last if chained else first_id == last + 1


@dataclass(frozen=True)
class IdRule:
    """How the ids of one feed connect.

    Args:
        link: what of a diff names the last applied id if it is the next of the chain.
        precedes: (diff, snapshot id) -> the diff lies wholly inside the snapshot.
        straddles: (diff, snapshot id) -> the diff is the first to apply after the snapshot.
        on_stream: snapshots come in the stream itself and need no straddling diff.
    """

    link: Link
    precedes: Callable[[BookMessage, int], bool]
    straddles: Callable[[BookMessage, int], bool]
    on_stream: bool

    def follows(self, diff: BookMessage, last: int) -> bool:
        """Whether a diff is the next of the chain after the id that was applied last."""
        linked = follows(self.link is Link.PREV, diff.first_id, diff.prev_id, last)
        return self.link is not Link.NONE and linked


FUTURES = IdRule(
    link=Link.PREV,
    precedes=lambda diff, snapshot: diff.last_id < snapshot,
    # ids are shared by all symbols, so a snapshot's id may fall between two diffs: from pu on, nothing is missing
    straddles=lambda diff, snapshot: diff.prev_id <= snapshot <= diff.last_id,
    on_stream=False,
)
BY_ONE = IdRule(
    link=Link.NEXT,
    precedes=lambda diff, snapshot: diff.last_id <= snapshot,
    straddles=lambda diff, snapshot: diff.first_id == snapshot + 1,
    on_stream=True,
)
SPOT = IdRule(
    link=Link.NEXT,
    precedes=lambda diff, snapshot: diff.last_id <= snapshot,
    straddles=lambda diff, snapshot: diff.first_id <= snapshot + 1 <= diff.last_id,
    on_stream=False,
)
CHAINED = IdRule(
    link=Link.PREV,
    precedes=lambda diff, snapshot: diff.last_id <= snapshot,
    straddles=lambda diff, snapshot: diff.prev_id == snapshot,
    on_stream=True,
)
UNNUMBERED = IdRule(
    link=Link.NONE,
    precedes=lambda diff, snapshot: False,
    straddles=lambda diff, snapshot: False,
    on_stream=True,
)
"""Venues that we read from archives alone, whose messages have no ids: see `ml.market.decode.continuity`."""
RULES = {
    "binance-usdm": FUTURES,
    "binance-coinm": FUTURES,
    "binance-spot": SPOT,
    "okx-swap": CHAINED,
    "okx-spot": CHAINED,
    "sim": FUTURES,
    "bybit-linear": BY_ONE,
    "bybit-spot": BY_ONE,
    "bybit-inverse": BY_ONE,
    "coinbase-spot": UNNUMBERED,
    "deribit": UNNUMBERED,
    "bitmex": UNNUMBERED,
}
