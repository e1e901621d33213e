"""Is what was captured the truth? Rows and gaps together are all that happened; the book is right outside gaps."""

from dataclasses import dataclass
from typing import Any

from ml.market.book.feed import Feed
from ml.market.book.ladder import levels
from ml.market.days.infer_instrument import infer_instrument
from ml.market.decode.continuity import Verdict
from ml.market.files.capture_sequence import CaptureSequence
from tests.support.emulator.market import START, Market


@dataclass(frozen=True)
class Found:
    """What a replay of the capture files gave: applied ids, anchors, gaps and set-aside frames."""

    applied: list[int]
    anchors: list[int]
    gaps: list[dict[str, Any]]
    refused: int
    trades: int


def check(chain: CaptureSequence, instrument_id: str, market: Market) -> Found:
    """Replay the capture and compare it with the market's history; returns what was found."""
    instrument = infer_instrument(chain, instrument_id)
    feed = Feed.of(instrument)
    applied: list[int] = []
    anchors: list[int] = []
    refused = 0
    offer = feed.decoder.continuity.offer

    def watched(message: Any) -> Any:
        steps = offer(message)
        for step in steps:
            if step.verdict == Verdict.APPLY:
                applied.append(step.message.last_id)
            if step.verdict == Verdict.ANCHOR:
                anchors.append(step.message.last_id)
        return steps

    feed.decoder.continuity.offer = watched
    for arrived in chain.frames(instrument_id):
        refused += len(feed.offer(arrived.doc, arrived.frame.recv_ts))
    gaps = feed.gaps()
    _nothing_is_lost(market, applied, anchors, gaps)
    _book_is_right(feed, market, applied, anchors, instrument)
    return Found(applied, anchors, gaps, refused, feed.decoder.tally.trades)


def places(market: Market) -> dict[int, int]:
    """How many changes had happened, by the last update id: after a restart a larger number has a smaller id."""
    return {START: 0} | {change.last_id: number for number, change in enumerate(market.history, start=1)}


def _nothing_is_lost(market: Market, applied: list[int], anchors: list[int], gaps: list[dict[str, Any]]) -> None:
    """Every change from the first anchor on was applied, or is held by an anchor after a recorded gap."""
    assert anchors, "no snapshot was ever connected"
    place = places(market)
    known = {place[one] for one in applied}
    begun = [place[one] for one in anchors]
    starts = [place[gap["from_id"]] for gap in gaps if gap["from_id"] is not None]
    inside = [(start, next((one for one in begun if one > start), None)) for start in starts]
    for position in range(begun[0] + 1, max([*known, *begun]) + 1):
        covered = any(start < position and (end is None or position <= end) for start, end in inside)
        assert position in known or covered, f"change {position} is neither applied nor in a gap"


def _book_is_right(feed: Feed, market: Market, applied: list[int], anchors: list[int], instrument: Any) -> None:
    """All levels of both sides equal the truth at the last applied id, where the book is known at the end."""
    last = feed.decoder.continuity.last_id
    if last is None:
        return
    truth = market.book_after(places(market)[last])
    ticks = 10 ** (instrument.price_decimals - 1)
    lots = 10**instrument.size_decimals / 1_000
    for side, index in ((1, 0), (-1, 1)):
        prices, sizes = levels(feed.sampler.state.book, index)
        book = {round(p / ticks): round(q / lots) for p, q in zip(prices.tolist(), sizes.tolist(), strict=True)}
        assert book == truth[side]
