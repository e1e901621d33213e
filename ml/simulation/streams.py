"""Simulated streams to train and to test detectors of layering on: with and without episodes, by family and number.

Here: the two families, whose seeds and parameters have nothing in common, and one stream of a family.
Not here: the market (`ml.simulation.exchange`), episodes (`ml.simulation.episodes`), what a detector makes of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.market.book.layout import BookStream, TradeStream
from ml.simulation import overlay
from ml.simulation.episodes import LAYERING, M_GRID, Pieces, Ranges, common, draw_from
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.publish import stream_frames, write_captures

START_NS = 1_735_689_600 * 10**9
"""2025-01-01 00:00 UTC: stream k of a family begins k hours later."""
HOUR = 3_600
ONE = ((1.0, 1.0),)


@dataclass(frozen=True)
class MarketRanges:
    """From what the parameters of a market are drawn, see `Exchange`."""

    price_ticks: Pieces
    best_size: Pieces
    orders_per_second: Pieces
    jumps: Pieces
    jump_ticks: Pieces
    makers: Pieces
    whole_ladders: Pieces
    background: Pieces
    resets_per_hour: Pieces

    def draw(self, seed: int, seconds: int, reaction: float) -> Exchange:
        """A market of these ranges."""
        rng = np.random.default_rng([seed, 2])
        drawn = {part.name: draw_from(rng, getattr(self, part.name)) for part in fields(self)}
        whole = {name: round(drawn[name]) for name in ("price_ticks", "makers")}
        return Exchange(seed, seconds, reaction=reaction, **(drawn | whole))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Family:
    """A generator of streams.

    Args:
        name: of the family.
        first_seed: seeds lie from it up to `SEEDS` behind it.
        market: parameters of the markets.
        episodes: parameters of the episodes.
        sizes: of a layer in typical best sizes, each in turn; drawn from `episodes.m` where empty.
    """

    name: str
    first_seed: int
    market: MarketRanges
    episodes: Ranges
    sizes: tuple[float, ...] = ()

    @property
    def seeds(self) -> range:
        """All seeds of the family."""
        return range(self.first_seed, self.first_seed + SEEDS)

    def overlap(self, other: "Family") -> list[str]:
        """Names of what the families share: `seeds`, or parameters that both may draw the same."""
        seeds = ["seeds"] if set(self.seeds) & set(other.seeds) else []
        return seeds + common(self.market, other.market) + self.episodes.overlap(other.episodes)


SEEDS = 100_000
PLANTED = SEEDS // 2
"""Streams with episodes have the second half of the seeds."""
TRAIN = Family(
    "train",
    1_000_000,
    MarketRanges(
        price_ticks=((300_000, 350_000), (500_000, 700_000), (900_000, 950_000)),
        best_size=((3, 4), (8, 16), (30, 36)),
        orders_per_second=((4.0, 5.0), (6.5, 9.0), (11.0, 12.0)),
        jumps=((0.6, 0.7), (0.85, 1.15), (1.35, 1.5)),
        jump_ticks=((20, 23), (29, 39), (46, 50)),
        makers=((10, 10), (11, 11), (12, 12), (13, 13), (17, 17)),
        whole_ladders=((0.003, 0.005), (0.01, 0.02), (0.03, 0.04)),
        background=((0.6, 0.7), (0.9, 1.2), (1.5, 1.7)),
        resets_per_hour=((2.0, 2.0),),
    ),
    Ranges(
        m=((0.6, 0.7), (0.8, 0.95), (1.1, 1.4), (1.6, 1.9), (2.2, 2.8), (3.2, 3.8), (4.2, 5.0)),
        layers=((4, 4), (5, 5), (7, 7)),
        first_bps=((1.0, 1.5), (2.5, 4.5), (6.0, 7.0)),
        step_bps=((0.15, 0.2), (0.45, 0.85), (1.2, 1.4)),
        placing_s=((0.05, 0.1), (0.6, 1.6), (2.5, 3.0)),
        rest_s=((1.0, 1.5), (2.5, 8.0), (12.0, 15.0)),
        pull_s=((0.005, 0.02), (0.08, 0.2), (0.3, 0.4)),
        fill_before_s=((0.02, 0.05), (0.2, 0.5), (0.8, 1.0)),
        slow_pull_s=((0.6, 1.0), (1.8, 3.5), (5.0, 5.5)),
        brief_rest_s=((0.08, 0.1), (0.18, 0.3), (0.4, 0.5)),
        requote_s=((0.5, 1.0), (2.0, 4.0), (5.0, 6.0)),
    ),
)
TEST = Family(
    "test",
    2_000_000,
    MarketRanges(
        price_ticks=((350_000, 500_000), (700_000, 900_000)),
        best_size=((4, 8), (16, 30)),
        orders_per_second=((5.0, 6.5), (9.0, 11.0)),
        jumps=((0.7, 0.85), (1.15, 1.35)),
        jump_ticks=((23, 29), (39, 46)),
        makers=((8, 8), (9, 9), (14, 14), (15, 15), (16, 16)),
        whole_ladders=((0.005, 0.01), (0.02, 0.03)),
        background=((0.7, 0.9), (1.2, 1.5)),
        resets_per_hour=ONE,
    ),
    Ranges(
        m=tuple((m, m) for m in M_GRID),
        layers=((3, 3), (6, 6)),
        first_bps=((1.5, 2.5), (4.5, 6.0)),
        step_bps=((0.2, 0.45), (0.85, 1.2)),
        placing_s=((0.1, 0.6), (1.6, 2.5)),
        rest_s=((1.5, 2.5), (8.0, 12.0)),
        pull_s=((0.02, 0.08), (0.2, 0.3)),
        fill_before_s=((0.05, 0.2), (0.5, 0.8)),
        slow_pull_s=((1.0, 1.8), (3.5, 5.0)),
        brief_rest_s=((0.1, 0.18), (0.3, 0.4)),
        requote_s=((1.0, 2.0), (4.0, 5.0)),
    ),
    M_GRID,
)
"""The values of the literature lie in the two together; those of the test lie between the training's."""


class Stream(NamedTuple):
    """A stream of events and what was planted in it.

    `truth` as in `overlay.TRUTH`, empty for a stream without episodes; `seconds` is its length; `market` made it.
    """

    instrument: Instrument
    books: BookStream
    trades: TradeStream
    truth: pl.DataFrame
    seconds: int
    market: Exchange


def unplanted(family: Family, number: int, seconds: int = HOUR, reaction: float = 0.0) -> Stream:
    """A stream without episodes: whatever a detector finds in it is a false alarm.

    Args:
        family: TRAIN or TEST.
        number: of the stream, below `PLANTED`; the same gives the same stream.
        seconds: its length.
        reaction: see `Exchange`.
    """
    market = family.market.draw(family.first_seed + number, seconds, reaction)
    published = run(market, START_NS + number * HOUR * 10**9)
    truth = overlay.truth([], INSTRUMENT.id, market.seed)
    return Stream(INSTRUMENT, published.books, published.trades, truth, seconds, market)


def planted(
    family: Family,
    number: int,
    variants: Sequence[str] = tuple(LAYERING),
    episodes: int = 120,
    seconds: int = HOUR,
    reaction: float = 0.0,
) -> Stream:
    """A stream with episodes; its market is that of no stream without.

    Args:
        family: TRAIN or TEST.
        number: of the stream, below `PLANTED`; the same gives the same stream.
        variants: of the episodes, each in turn.
        episodes: how many are wanted, spread over the stream; fewer where the market does not allow more.
        seconds: its length.
        reaction: see `Exchange`.
    """
    market = family.market.draw(family.first_seed + PLANTED + number, seconds, reaction)
    published = run(market, START_NS + number * HOUR * 10**9)
    tape = overlay.tape(published.books, published.trades, INSTRUMENT)
    found = overlay.draw_episodes(tape, market.seed, variants, episodes, family.episodes, family.sizes)
    books, trades = overlay.plant(published.books, published.trades, found)
    truth = overlay.truth(found, INSTRUMENT.id, market.seed)
    return Stream(INSTRUMENT, books, trades, truth, seconds, market)


def write(stream: Stream, folder: Path) -> list[Path]:
    """Write a stream as capture files, one per hour; every command reads them."""
    return write_captures(folder, stream_frames(stream.books, stream.trades, stream.market.seed))
