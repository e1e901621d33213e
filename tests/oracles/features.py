"""The short set's features as Polars expressions over the stored samples: another engine, another order."""

import polars as pl


def sizes(side, n):
    return [pl.col(f"{side}_size_{k}").fill_null(0).cast(pl.Float64) for k in range(1, n + 1)]


def mid():
    return (pl.col("bid_price_1") + pl.col("ask_price_1")) / 2


def imbalance(n):
    bid = pl.sum_horizontal(sizes("bid", n))
    ask = pl.sum_horizontal(sizes("ask", n))
    return (bid - ask) / (bid + ask)


def vwap(side, n):
    total = pl.sum_horizontal(sizes(side, n))
    weighted = [
        pl.col(f"{side}_price_{k}").fill_null(0) * pl.col(f"{side}_size_{k}").fill_null(0).cast(pl.Float64)
        for k in range(1, n + 1)
    ]
    return pl.sum_horizontal(weighted) / total


def window(expression, w):
    return expression.rolling_sum(w, min_samples=w)


def flow(name, side):
    return pl.sum_horizontal(
        pl.col(f"{name}_{side}_{band}") for band in ("touch", "2bps", "5bps", "10bps", "20bps")
    ).cast(pl.Float64)


def signed(what, w):
    buy = window(pl.col(f"{what}_buy").cast(pl.Float64), w)
    sell = window(pl.col(f"{what}_sell").cast(pl.Float64), w)
    return pl.when(buy + sell > 0).then((buy - sell) / (buy + sell)).otherwise(0.0)


def net(w):
    parts = {(n, s): window(flow(n, s), w) for n in ("added", "cancelled") for s in ("bid", "ask")}
    total = sum(parts.values())
    signed_sum = parts["added", "bid"] - parts["cancelled", "bid"] - parts["added", "ask"] + parts["cancelled", "ask"]
    return pl.when(total > 0).then(signed_sum / total).otherwise(0.0)


def cancelled(w):
    bid = window(flow("cancelled", "bid"), w)
    ask = window(flow("cancelled", "ask"), w)
    return pl.when(bid + ask > 0).then((bid - ask) / (bid + ask)).otherwise(0.0)


def expressions(tick):
    """Feature id -> expression; `S` must be a column."""
    bid = pl.col("bid_price_1")
    ask = pl.col("ask_price_1")
    m = mid()
    return {
        "spread_ticks": (ask - bid) / tick,
        "spread_bps": 1e4 * (ask - bid) / m,
        "micro_dev_bps": 1e4
        * (
            (bid * pl.col("ask_size_1").cast(pl.Float64) + ask * pl.col("bid_size_1"))
            / (pl.col("ask_size_1") + pl.col("bid_size_1"))
            - m
        )
        / m,
        "vwmid5_dev_bps": 1e4 * ((vwap("bid", 5) + vwap("ask", 5)) / 2 - m) / m,
        **{f"qi_{n}": imbalance(n) for n in (1, 3, 5, 10)},
        **{f"depth_{side}_5": (pl.sum_horizontal(sizes(side, 5)) / pl.col("S")).log1p() for side in ("bid", "ask")},
        "gap_bid_ticks": (bid - pl.col("bid_price_2")) / tick,
        "gap_ask_ticks": (pl.col("ask_price_2") - ask) / tick,
        **{
            f"hhi_{side}_10": pl.sum_horizontal(s**2 for s in sizes(side, 10)) / pl.sum_horizontal(sizes(side, 10)) ** 2
            for side in ("bid", "ask")
        },
        **{
            f"ofi_{n}_{w}s": window(pl.sum_horizontal(pl.col(f"ofi_{k}") for k in range(1, n + 1)).cast(pl.Float64), w)
            / (pl.col("S") * w**0.5)
            for n in (1, 5)
            for w in (1, 5, 30)
        },
        **{f"net_imb_{w}s": net(w) for w in (1, 5, 30)},
        **{f"cancel_imb_{w}s": cancelled(w) for w in (5, 30)},
        "update_rate_5s": (window(pl.col("n_updates").cast(pl.Float64), 5) / 5).log1p(),
        **{f"volume_imb_{w}s": signed("trade_volume", w) for w in (5, 30, 60)},
        **{f"count_imb_{w}s": signed("trade_count", w) for w in (5, 30)},
        **{
            f"trade_rate_{w}s": (
                window((pl.col("trade_count_buy") + pl.col("trade_count_sell")).cast(pl.Float64), w) / w
            ).log1p()
            for w in (5, 30)
        },
    }


def median_size(samples, i):
    """S at row i, by sorting."""
    from statistics import median

    n = min(int(samples["valid_run"][i]), 1800, i + 1)
    if n < 60:
        return None
    part = samples[i - n + 1 : i + 1]
    return float(median(part["bid_size_1"].to_list() + part["ask_size_1"].to_list()))
