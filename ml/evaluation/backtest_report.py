"""What a backtest found, as it is stored: light, so that definitions load without compiled code.

Here: costs and latency, outcomes of decisions, and the report.
Not here: how it is computed (`ml.evaluation.money`, `ml.evaluation.backtest`).
"""

from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from ml.core.time import MS, SECOND
from ml.evaluation.returns import Paired, Sharpe

CANDIDATE = "candidate"
NO_BLOCKS = Paired(0, None, None, None)
CLAIMED = {"macro-F1": 0.414, "win rate after fees": 0.466, "Sharpe ratio": 1.5}
"""What the predecessors claim, on candles of 15 minutes to 12 hours and without an interval."""


class Outcome(StrEnum):
    """How a decision ended."""

    DONE = "done"
    UNKNOWN_BOOK = "unknown_book"
    TOO_SMALL = "too_small"
    NOT_FILLED = "not_filled"
    BEYOND_BOOK = "beyond_book"


@dataclass(frozen=True)
class Execution:
    """How orders reach the market and what they cost.

    Args:
        entry: ns from sending an order to its arrival.
        response: ns from there until its answer is known.
        taker_fee: fraction of the notional.
        maker_fee: fraction of the notional; negative is a rebate.
        patience: ns that a maker order rests before it is cancelled; the cancel takes `entry` too.
    """

    entry: int = 100 * MS
    response: int = 100 * MS
    taker_fee: float = 0.0005
    maker_fee: float = 0.0002
    patience: int = 5 * SECOND


@dataclass(frozen=True)
class Figure:
    """A figure with its interval at 95 %, and what the predecessors claim; None where it cannot be computed."""

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    claimed: float
    of: str


@dataclass(frozen=True)
class Point:
    """One point of a curve: what round trips of takers earn at a latency (ms) and a fee (bps of each notional).

    `net_bps` is the mean per round trip, of the entry's notional; the bounds are at 95 %, None with too little data.
    """

    latency_ms: float
    fee_bps: float
    trades: int
    win_rate: float | None
    net_bps: float | None
    net_lower: float | None
    net_upper: float | None


@dataclass(frozen=True)
class Traded:
    """What one strategy did.

    Args:
        name: `candidate`, or its rival's.
        outcomes: decisions by what became of them (`ml.evaluation.backtest.Outcome`).
        win_rate: share of round trips that earned something after fees; None without any.
        win_lower: bound at 95 % (Wilson), None without any.
        win_upper: the other bound.
        net_bps: mean per round trip after fees, bps of the entry's notional.
        net_lower: bound at 95 % over blocks of 600 s, None with too few of them.
        net_upper: the other bound.
        break_even_bps: the fee of each order, in bps, at which all of it earns nothing.
        sharpe: of the returns of UTC days.
        daily: date and return of each UTC day.
        marks: time (ns) and equity each minute, 1 at the start, None where it is not known.
    """

    name: str
    outcomes: dict[str, int]
    win_rate: float | None
    win_lower: float | None
    win_upper: float | None
    net_bps: float | None
    net_lower: float | None
    net_upper: float | None
    break_even_bps: float | None
    sharpe: Sharpe
    daily: list[tuple[str, float]]
    marks: list[tuple[int, float | None]]

    @property
    def equity(self) -> pl.DataFrame:
        """The marks as a frame: ts, equity."""
        return pl.DataFrame(self.marks, schema={"ts": pl.Int64(), "equity": pl.Float64()}, orient="row")

    @property
    def trades(self) -> int:
        """Round trips whose result is known."""
        return self.outcomes.get(Outcome.DONE, 0)


@dataclass(frozen=True)
class BacktestReport:
    """Candidate and rival on the same rows.

    Args:
        predictions_sha256: hash of the file of predictions that was traded.
        rival: name of the rival.
        execution: latency and fees of all but the curves.
        traded: both strategies; none where there are no rows.
        makers: the candidate as maker, behind the cautious queue and behind the kinder one.
        curve: the candidate over latency at the fee in force, and over fees at the latency in force.
        paired: net return of the candidate less the rival's over blocks of 600 s.
        figures: what the predecessors were sold by, beside theirs.
    """

    predictions_sha256: str
    rival: str
    execution: Execution
    traded: list[Traded] = field(default_factory=list[Traded])
    makers: list[Traded] = field(default_factory=list[Traded])
    curve: list[Point] = field(default_factory=list[Point])
    paired: Paired = NO_BLOCKS
    figures: list[Figure] = field(default_factory=list[Figure])

    def tables(self) -> dict[str, pl.DataFrame]:
        """What a person reads: the figures, the strategies, and the curve; none where nothing was traded."""
        if not self.traded:
            return {}
        rows = [
            {"strategy": one.name, "round trips": one.trades, "win rate": one.win_rate, "net bps": one.net_bps}
            | {"lower": one.net_lower, "upper": one.net_upper, "break-even fee bps": one.break_even_bps}
            | {"Sharpe": str(one.sharpe), "not traded": sum(one.outcomes.values()) - one.trades}
            for one in (*self.traded, *self.makers)
        ]
        against = pl.DataFrame([{"candidate less": self.rival, "net return": str(self.paired)}])
        found = {
            "figures": [vars(one) for one in self.figures],
            "strategies": rows,
            "curve": [vars(p) for p in self.curve],
        }
        return {name: pl.DataFrame(values, infer_schema_length=None) for name, values in found.items()} | {
            "against the rival": against
        }
