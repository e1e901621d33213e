"""The predecessor's order book columns, from samples.

Here: the twenty-eight of them that samples allow.
Not here: what they are and what is wrong with them (`book_columns`), when they are null (`build`).

Arrays are of all rows at once, oldest first; a snapshot before is the sample `STEP` seconds before. Where a book was
not known, values are without meaning.
"""

from typing import NamedTuple

import numpy as np

from ml.candles.bars import F64
from ml.core.instruments import Instrument
from ml.features.candle.series import Columns, back
from ml.features.legacy.feature import STEP
from ml.market.book import layout as at
from ml.market.book.layout import I64
from ml.tables.schemas import LEVELS


class Side(NamedTuple):
    """Best ten levels of a side, f64 (rows, 10) in quote and base currency; `lots` of the best five, i64 (rows,)."""

    price: F64
    size: F64
    lots: I64


@np.errstate(all="ignore")  # a formula that divides by nothing has no value
def compute(samples: I64, instrument: Instrument) -> Columns:
    """Columns by name, f64 (rows,), of samples i64 (rows, columns) a second apart."""
    bid, ask = (_side(samples, k, instrument) for k in range(2))
    mid = (bid.price[:, 0] + ask.price[:, 0]) / 2.0
    depth = (bid.lots + ask.lots) / 10.0**instrument.size_decimals
    return (
        _instant(bid, ask, mid)
        | _changes(bid, ask, mid)
        | _impact(bid, ask, mid, depth)
        | {"trade_arrival_rate": _prints(samples, 60) / 60.0}
    )


def _side(samples: I64, side: int, instrument: Instrument) -> Side:
    price = at.BID_PRICE + 2 * LEVELS * side
    size = at.BID_SIZE + 2 * LEVELS * side
    return Side(
        samples[:, price : price + 10] / 10.0**instrument.price_decimals,
        samples[:, size : size + 10] / 10.0**instrument.size_decimals,
        samples[:, size : size + 5].sum(axis=1),
    )


def _instant(bid: Side, ask: Side, mid: F64) -> Columns:
    (b1, a1), spread = (bid.price[:, 0], ask.price[:, 0]), ask.price[:, 0] - bid.price[:, 0]
    found = {
        "bid_ask_spread_abs": spread,
        "bid_ask_spread_rel": 100.0 * spread / mid,
        "mid_price": mid,
        "micro_price": (b1 * ask.size[:, 0] + a1 * bid.size[:, 0]) / (bid.size[:, 0] + ask.size[:, 0]),
        "effective_spread": spread / mid,
    }
    for n in (5, 10):
        b = bid.size[:, :n].sum(axis=1)
        a = ask.size[:, :n].sum(axis=1)
        found |= {f"depth_bid_{n}": b, f"depth_ask_{n}": a, f"imbalance_{n}": (b - a) / (b + a)}
        for name, side, total in (("bid", bid, b), ("ask", ask, a)):
            found[f"vwap_{name}_{n}"] = (side.price[:, :n] * side.size[:, :n]).sum(axis=1) / total
    b = found["depth_bid_5"]
    a = found["depth_ask_5"]
    for name, side in (("bid", bid), ("ask", ask)):
        levels = (side.size > 0).sum(axis=1)
        found[f"{name}_intensity"] = levels / np.maximum(found[f"depth_{name}_10"] / levels, 0.001)
    return found | {
        "price_pressure": (b * a1 - a * b1) / (b + a),
        "liquidity_bid_5": b,
        "liquidity_ask_5": a,
        "liquidity_asymmetry": b / a,
        "depth_imbalance_ratio": found["imbalance_5"],
    }


def _changes(bid: Side, ask: Side, mid: F64) -> Columns:
    net = bid.size[:, :5].sum(axis=1) - ask.size[:, :5].sum(axis=1)
    return {
        "volume_delta_5": net - back(net, STEP),
        "order_flow_imbalance": _arrived(bid, mid) - _arrived(ask, mid),
    }


def _arrived(side: Side, mid: F64) -> F64:
    """Size that the present levels have more than at the same price a snapshot before, nearer ones weighing more."""
    found = np.full(len(mid), np.nan)
    price = side.price[STEP:]
    before = side.price[:-STEP]
    sizes = side.size[:-STEP]
    weight = 1.0 / (1.0 + np.abs(side.price - mid[:, None]) / mid[:, None])
    found[STEP:] = 0.0
    for k in range(10):
        known = np.where(before == price[:, k : k + 1], sizes, 0.0).sum(axis=1)
        found[STEP:] += weight[STEP:, k] * (side.size[STEP:, k] - known)
    return found


def _impact(bid: Side, ask: Side, mid: F64, depth: F64) -> Columns:
    spread = ask.price[:, 0] - bid.price[:, 0]
    lots = (bid.lots + ask.lots).astype(np.float64)
    mids = _snapshots(mid, 20)
    depths = _snapshots(depth, 20)
    spreads = _snapshots(spread, 20)
    moves = np.diff(mids, axis=0)
    returns = np.diff(mids, axis=0) / mids[:-1]
    changed = np.abs(np.diff(_snapshots(lots, 10), axis=0)) > 0
    steps = np.where(changed, np.abs(moves[-9:]) / np.abs(np.diff(depths, axis=0)[-9:]), np.nan)
    late = moves[1:] - moves[1:].mean(axis=0)
    early = moves[:-1] - moves[:-1].mean(axis=0)
    covariance = (late * early).sum(axis=0) / (len(late) - 1)
    quoted = 2.0 * spread / mid
    return {
        "kyle_lambda": np.where(changed.any(axis=0), _median(steps), spread / depth),
        "amihud_illiquidity": (np.abs(returns) / ((depths[1:] + depths[:-1]) / 2.0)).mean(axis=0),
        "roll_spread": np.where(covariance < 0, 2.0 * np.sqrt(np.abs(covariance)), quoted),
        "orderbook_volatility": returns.std(axis=0),
        "spread_volatility": spreads.std(axis=0),
    }


def _snapshots(x: F64, count: int) -> F64:
    """The last snapshots of each row, f64 (count, rows), oldest first."""
    return np.array([back(x, STEP * k) for k in range(count - 1, -1, -1)])


def _median(x: F64) -> F64:
    """Median over the first axis of what is not NaN; NaN where nothing is."""
    ordered = np.sort(x, axis=0)
    count = (~np.isnan(x)).sum(axis=0)
    low, high = (np.take_along_axis(ordered, k[None], axis=0)[0] for k in (np.maximum(count - 1, 0) // 2, count // 2))
    return (low + high) / 2.0


def _prints(samples: I64, seconds: int) -> F64:
    """Trades of the last seconds; NaN where there are fewer samples."""
    total = np.append(0, np.cumsum(samples[:, at.TRADE_COUNT] + samples[:, at.TRADE_COUNT + 1]))
    found = np.full(len(samples), np.nan)
    found[seconds - 1 :] = total[seconds:] - total[:-seconds]
    return found
