"""Whether the captured books can be rebuilt: by times, update ids and the shape of levels, and by their best prices.

This module follows the ids of every symbol of a venue and knows which symbols wait for a snapshot. Messages that the
decoder will quarantine are left out here too: otherwise the book would be unknown there, and no snapshot requested.
The id rules belong to `ml.market.decode.id_rules`, requesting snapshots to `live.service`.
"""

from typing import Any

import orjson

from ml.capture.best_prices import Tops
from ml.capture.plans import plan
from ml.core.errors import FrameError
from ml.market.decode.clock import Clock
from ml.market.decode.continuity import Continuity, Verdict
from ml.market.decode.events import BookMessage
from ml.market.decode.id_rules import RULES
from ml.market.venues.dialects import MOVING, dialect, route
from ml.market.venues.levels import Levels

Doc = dict[str, Any]


class Watch:
    """The chains of ids of one venue's books."""

    def __init__(self, venue: str, symbols: tuple[str, ...]) -> None:
        self.venue = venue
        self.dialect = dialect(venue)
        self.beside = plan(venue).beside
        self.chains = {symbol: Continuity(RULES[venue]) for symbol in symbols}
        self.clocks = {symbol: Clock() for symbol in symbols}
        self.tops = {symbol: Tops() for symbol in symbols if RULES[venue].on_stream}
        self.breaks = self.crossed = 0

    def relevant(self, frames: list[bytes]) -> list[bytes]:
        """Those frames that may hold ids or move the clock; the others, which are most, need not be read at all."""
        beside = self.beside
        return [frame for frame in frames if beside not in frame]

    def take(self, payload: bytes, conn: str, recv_ts: int) -> tuple[str | None, Doc | None]:
        """Follow a frame; returns its symbol and its JSON if it is market data.

        `recv_ts` is ns UTC by our clock.
        """
        try:
            doc = orjson.loads(payload)
            routed = route(doc, conn)
            if routed is None or routed[1] not in self.chains:
                return None, None
        except (orjson.JSONDecodeError, FrameError):
            return None, None  # kept by the journal; the index quarantines it with its reason
        try:
            if self.dialect.kind(doc) in MOVING:
                self.clocks[routed[1]].admit(self.dialect.event_ts(doc), recv_ts)
            levels = self.dialect.check(doc)
            messages = self.dialect.outline(doc)
        except FrameError:
            return routed[1], doc  # the decoder quarantines it
        for k, message in enumerate(messages):
            self._follow(routed[1], message, levels[k] if k < len(levels) else ((), ()), recv_ts)
        return routed[1], doc

    def _follow(self, symbol: str, message: BookMessage, levels: tuple[Levels, Levels], recv_ts: int) -> None:
        steps = self.chains[symbol].offer(message)
        tops = self.tops.get(symbol)
        self.breaks += any(step.verdict == Verdict.BREAK for step in steps)
        if tops is None or not steps or steps[-1].verdict not in (Verdict.APPLY, Verdict.ANCHOR):
            return
        tops.take(*levels, reset=message.snapshot)
        if tops.must_repair(recv_ts):
            self.crossed += 1
            self.lose(symbol, "crossed")

    def lose(self, symbol: str, reason: str) -> None:
        """Forget a book that may be wrong: only a snapshot makes it known again."""
        self.chains[symbol].lose(reason)

    def unknown(self) -> list[str]:
        """Symbols whose book waits for a snapshot."""
        return [symbol for symbol, chain in self.chains.items() if chain.last_id is None]

    def waiting(self) -> set[str]:
        """Those of them whose diffs come: what is missing is the snapshot alone."""
        return {symbol for symbol in self.unknown() if self.chains[symbol].pending}
