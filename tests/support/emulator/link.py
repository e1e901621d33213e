"""The way from a venue to a capture and to its replay, in one process: what is in flight, and what may befall it.

The capture's side is `Watch`, which decides when a book must be requested again; the replay's side is `Feed`, which
says what is known. Both take what arrives, in its order, as they would over a socket and from a sealed file.
"""

from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import orjson

from ml.capture import plans
from ml.capture.monitor import Watch
from ml.capture.plans import Endpoints
from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.book.feed import Feed
from ml.market.book.sampler import Sampler
from ml.market.decode.continuity import Step
from ml.market.decode.decoder import Decoder
from ml.market.venues.dialects import route
from tests.support.emulator.market import Market
from tests.support.emulator.protocols import PROTOCOLS

SYMBOLS = {"okx-swap": "BTC-USDT-SWAP", "okx-spot": "BTC-USDT"}
OPENED = 1_741_000_000_300
"""Time of the first change, ms UTC."""


@dataclass(frozen=True)
class Sent:
    """A frame on its way: its text, what it holds, and how many changes had happened when it was sent."""

    text: str
    holds: str
    position: int
    trade: int = 0


class Link:
    """One book of one venue.

    `steps` are the verdicts so far, each with the count of changes at which
    its frame was sent, None for a REST answer, and the latest event time then (ns UTC).
    """

    def __init__(self, venue: str, seed: int) -> None:
        self.venue = venue
        self.protocol = PROTOCOLS[venue](venue)
        self.symbol = SYMBOLS.get(venue, "BTCUSDT")
        self.market = Market(self.symbol, seed, self.protocol.gap_ids)
        self.now = OPENED
        plan = plans.plan(venue)
        self.conn = f"{venue} {plan.subscriptions(Endpoints('ws://x', ''), [self.symbol])[0].url}"
        self.rest = f"{venue} {plan.snapshot(Endpoints('', 'http://x'), self.symbol)}" if plan.snapshot else ""
        self.watch = Watch(venue, (self.symbol,))
        self.feed = Feed(Decoder(Instrument(f"{venue}.{self.symbol}", 1, 3, 1, 1)), Sampler(room=64))
        self.flight: deque[Sent] = deque()
        self.arrived: list[Sent] = []
        self.answers: list[Sent] = []
        self.steps: list[tuple[Step, int | None, int]] = []
        self.trades: set[int] = set()
        self._at: int | None = 0
        self._listen()
        self.dial()

    def happen(self, wait_ms: int) -> None:
        """Let the market change once; its frames are on their way."""
        self.now += wait_ms
        self._send(self.protocol.frames(self.market, self.market.step(self.now)))

    def restart(self) -> None:
        """Let the venue begin its ids again."""
        self.now += 10
        self._send(self.protocol.restart(self.market, self.now))

    def dial(self) -> None:
        """A new connection: what was in flight is lost with the old one, and the stream opens."""
        self.flight.clear()
        self.renew()

    def renew(self) -> None:
        """The book is subscribed again on the running connection: its snapshot comes after what is in flight."""
        self._send(self.protocol.opening(self.market))

    def fall(self, reason: str) -> None:
        """Lose the connection, as the capture tells it, and connect again."""
        self.lose(reason)
        self.dial()

    def lose(self, reason: str) -> None:
        """Note that frames may be missing here."""
        self.watch.lose(self.symbol, reason)
        self._feed({"loss": reason, "symbol": self.symbol}, self.conn)

    def ask(self) -> None:
        """Let the venue make a REST answer, to arrive whenever the test likes."""
        self.answers.append(Sent(self.protocol.snapshot(self.market, self.now), "rest", len(self.market.history)))

    def ask_amid(self, wait_ms: int) -> None:
        """The same, made while a change is being applied: part of its levels are in, and the id lies within it."""
        before = copy(self.market)
        before.sides = {side: dict(levels) for side, levels in self.market.sides.items()}
        self.happen(wait_ms)
        change = self.market.history[-1]
        if change.last_id > change.first_id:  # else there is no id within it
            before.update = (change.first_id + change.last_id) // 2
            for side, price, size in change.levels[: len(change.levels) // 2]:
                before.sides[side].pop(price, None)
                if size:
                    before.sides[side][price] = size
        self.answers.append(Sent(self.protocol.snapshot(before, self.now), "rest", len(self.market.history)))

    def deliver(self) -> None:
        """The oldest frame in flight arrives."""
        self.arrive(self.flight.popleft())

    def arrive(self, sent: Sent) -> None:
        """A frame arrives, in order or not."""
        self.arrived.append(sent)
        self._at = None if sent.holds == "rest" else sent.position
        if sent.trade:
            self.trades.add(sent.trade)
        conn = self.rest if sent.holds == "rest" else self.conn
        for text in self.watch.relevant([sent.text.encode()]) if sent.holds != "rest" else [sent.text.encode()]:
            self.watch.take(text, conn, self.now * 10**6)
        try:
            doc = orjson.loads(sent.text)
            routed = route(doc, conn)
        except (orjson.JSONDecodeError, FrameError):
            return  # a line for the quarantine
        if routed is not None:
            self._feed(doc, conn)

    def spoil(self, how: Callable[[str], str]) -> None:
        """What the next frame in flight says is changed on its way."""
        sent = self.flight.popleft()
        text = how(sent.text)
        self.flight.appendleft(replace(sent, text=text, trade=sent.trade if text == sent.text else 0))

    def _feed(self, doc: dict[str, Any], conn: str) -> None:
        self.feed.offer(doc, self.now * 10**6)

    def _send(self, texts: list[str]) -> None:
        """Frames of one change: the book's first, then the trade."""
        position = len(self.market.history)
        for text in texts:
            is_trade = text is not texts[0]
            self.flight.append(
                Sent(text, "trade" if is_trade else "book", position, self.market.trades if is_trade else 0)
            )

    def _listen(self) -> None:
        offer = self.feed.decoder.continuity.offer

        def noted(message: Any) -> list[Step]:
            found = offer(message)
            self.steps += [(step, self._at, self.feed.decoder.clock.watermark) for step in found]
            return found

        self.feed.decoder.continuity.offer = noted
