"""The market around a cue, from stored samples: regime, volatility, volume, liquidity and spread.

Here: what was known at the time of each cue, and why it is null where it is not.
Not here: what follows from it (`ml.layering.confidence`).
"""

from collections.abc import Iterator
from math import log

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import DAY_NS, HOUR, MINUTE, SECOND
from ml.layering.layout import F64
from ml.layering.tables import CONTEXT
from ml.market.book.layout import I64
from ml.tables.schemas import LEVELS, SIDES, NullReason

SIZES = tuple(f"{side}_size_{k}" for side in SIDES for k in range(1, LEVELS + 1))
NEEDED = ("ts", "bid_price_1", "ask_price_1", *SIZES, "trade_notional_buy", "trade_notional_sell", "valid")
"""The columns of `book_samples` that are read."""
FEWEST_MINUTES = 60
"""Returns of one minute that volatility and regime need."""
MINUTES_A_DAY = 1_440
BULLISH, BEARISH, RANGING = "bullish", "bearish", "ranging"


def context(times: I64, samples: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """The context at each time, of samples up to it alone; columns as in `tables.CONTEXT`.

    `market_regime` is bullish or bearish where the last hour moved by more than one of its standard deviations, else
    ranging. `volatility_24h` is the standard deviation of one-minute log returns, scaled to a day; `volume_24h` what
    was traded, in quote currency; `liquidity` the share of the minutes in which the 20 best levels of both sides held
    no more than now. All are over the last 24 hours as far as they are stored, which `context_hours` tells.

    Args:
        times: i64 (n), ns UTC.
        samples: of the instrument, ascending, with the columns NEEDED; those of the 24 hours before the first time.
        instrument: decimals, and what a contract holds.
    """
    return pl.DataFrame(
        list(_rows(times, samples, instrument)), schema={column.name: column.dtype for column in CONTEXT}, orient="row"
    )


def _rows(times: I64, samples: pl.DataFrame, instrument: Instrument) -> Iterator[tuple[object, ...]]:
    ts = samples["ts"].to_numpy()
    bid, ask = (samples[name].cast(pl.Float64).to_numpy() for name in ("bid_price_1", "ask_price_1"))
    valid = samples["valid"].cast(pl.Boolean).to_numpy() & (bid > 0) & (ask > 0)
    known = np.cumsum(valid)
    traded = np.cumsum(samples.select(pl.sum_horizontal("trade_notional_buy", "trade_notional_sell")).to_series())
    unit = instrument.contract_size / 10.0 ** (instrument.price_decimals + instrument.size_decimals)
    minutes = np.flatnonzero(valid & (ts % MINUTE == 0))
    mids = (bid[minutes] + ask[minutes]) / 2
    depths = samples.select(pl.sum_horizontal(*SIZES).cast(pl.Float64)).to_series().to_numpy()
    for time in times.tolist():
        now = int(np.searchsorted(ts, time, "right")) - 1
        if now < 0 or time - ts[now] > SECOND or not valid[now]:
            late = now < 0 or time - ts[now] > SECOND
            yield *(None,) * 6, int(NullReason.STALE if late else NullReason.INVALID_BOOK)
            continue
        since = int(np.searchsorted(ts, time - DAY_NS, "right"))
        hours = float(known[now] - (known[since - 1] if since else 0)) * SECOND / HOUR
        spread = 1e4 * (ask[now] - bid[now]) / ((ask[now] + bid[now]) / 2)
        first, last = np.searchsorted(minutes, [since, now + 1])
        returns = _returns(ts[minutes[first:last]], mids[first:last])
        if len(returns) < FEWEST_MINUTES:
            yield None, None, None, None, spread, hours, int(NullReason.WARM_UP)
            continue
        sigma = float(returns.std(ddof=1))
        volume = float(traded[now] - (traded[since - 1] if since else 0)) * unit
        liquidity = float((depths[minutes[first:last]] <= depths[now]).mean())
        regime = _regime(ts, bid + ask, valid, now, sigma)
        reason = NullReason.NONE if regime else NullReason.INVALID_BOOK
        yield regime, sigma * MINUTES_A_DAY**0.5, volume, liquidity, spread, hours, int(reason)


def _returns(ts: I64, mids: F64) -> F64:
    """Log returns of neighbouring minutes; what lies across a hole is none."""
    return np.diff(np.log(mids))[np.diff(ts) == MINUTE]


def _regime(ts: I64, mid2: F64, valid: np.ndarray, now: int, sigma: float) -> str | None:
    """The regime of the last hour, of sums of the best prices; None where the book was not known an hour ago."""
    then = int(np.searchsorted(ts, ts[now] - HOUR, "right")) - 1
    if then < 0 or not valid[then]:
        return None
    moved = log(mid2[now] / mid2[then])
    usual = sigma * (HOUR / MINUTE) ** 0.5
    return RANGING if abs(moved) <= usual else BULLISH if moved > 0 else BEARISH
