"""Is what was captured the truth? Rows and gaps together are all that happened; the book is right outside gaps."""

from dataclasses import dataclass
from typing import Any

from ml.market.book import levels
from ml.market.chain import Chain
from ml.market.continuity import Verdict
from ml.market.feed import Feed
from ml.market.survey import survey
from tests.emulator.market import Market


@dataclass(frozen=True)
class Found:
    """What a replay of the capture files gave: applied ids, anchors, gaps and set-aside frames."""

    applied: list[int]
    anchors: list[int]
    gaps: list[dict[str, Any]]
    refused: int
    trades: int


def check(chain: Chain, instrument_id: str, market: Market) -> Found:
    """Replay the capture and compare it with the market's history; returns what was found."""
    instrument = survey(chain, instrument_id)
    feed = Feed(instrument)
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


def _nothing_is_lost(market: Market, applied: list[int], anchors: list[int], gaps: list[dict[str, Any]]) -> None:
    """Every change from the first anchor on was applied, or is held by an anchor after a recorded gap."""
    assert anchors, "no snapshot was ever connected"
    known = set(applied)
    inside = [(gap["from_id"], next((a for a in anchors if a > gap["from_id"]), None)) for gap in gaps]
    for change in market.history:
        if not anchors[0] < change.last_id <= max([*applied, *anchors]):
            continue
        covered = any(start < change.last_id and (end is None or change.last_id <= end) for start, end in inside)
        assert change.last_id in known or covered, f"change {change.last_id} is neither applied nor in a gap"


def _book_is_right(feed: Feed, market: Market, applied: list[int], anchors: list[int], instrument: Any) -> None:
    """All levels of both sides equal the truth at the last applied id, where the book is known at the end."""
    last = feed.decoder.continuity.last_id
    if last is None:
        return
    count = sum(change.last_id <= last for change in market.history)
    truth = market.book_after(count)
    ticks, lots = 10 ** (instrument.price_decimals - 1), 10**instrument.size_decimals / 1_000
    for side, index in ((1, 0), (-1, 1)):
        prices, sizes = levels(feed.sampler.state.book, index)
        book = {round(p / ticks): round(q / lots) for p, q in zip(prices.tolist(), sizes.tolist(), strict=True)}
        assert book == truth[side]
