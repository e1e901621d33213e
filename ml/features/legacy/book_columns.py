"""Columns 0 to 49 of the predecessor's arrays: the order book.

Here: what each is, its fault, or why it is unavailable.
Not here: the computation (`ml.features.legacy.book`).

b, a are prices and B, A sizes of bid and ask levels, p and q those of either side, m is the mid.
"""

from ml.features.legacy.feature import DEEP, LOOP, PACED, PRICE, SIZE, STEP, TWICE, LegacyFeature


def _book(
    name: str, formula: str, unit: str = "1", snapshots: int = 1, fault: str = "", absent: str = ""
) -> LegacyFeature:
    back = STEP * (snapshots - 1) + 1 if snapshots > 1 else 0
    return LegacyFeature(name, "orderbook", formula, unit, back, back, fault=fault, absent=absent)


def _sides(name: str, formula: str, unit: str, fault: str = "", absent: str = "") -> list[LegacyFeature]:
    return [_book(name.format(side), formula, unit, fault=fault, absent=absent) for side in ("bid", "ask")]


SHARE = "(sum B - sum A) / (sum B + sum A)"
RUNS = "levels in runs within 0.1 % of the run's first price"
ORDERBOOK = (
    _book("bid_ask_spread_abs", "a1 - b1", "quote", fault=PRICE),
    _book("bid_ask_spread_rel", "100 (a1 - b1) / m", "%"),
    _book("mid_price", "m", "quote", fault=PRICE),
    _book("micro_price", "(b1 A1 + a1 B1) / (A1 + B1)", "quote", fault=PRICE),
    *_sides("vwap_{}_5", "sum p q / sum q, best 5", "quote", PRICE),
    *_sides("vwap_{}_10", "sum p q / sum q, best 10", "quote", PRICE),
    *_sides("depth_{}_5", "sum q, best 5", "base", SIZE),
    *_sides("depth_{}_10", "sum q, best 10", "base", SIZE),
    *_sides("total_{}_volume", "sum q, all levels", "base", absent=DEEP),
    _book("book_depth_ratio", "sum B / sum A, all levels", absent=DEEP),
    _book("imbalance_5", f"{SHARE}, best 5"),
    _book("imbalance_10", f"{SHARE}, best 10"),
    _book("imbalance_total", f"{SHARE}, all levels", absent=DEEP),
    _book("price_pressure", "(B5 a1 - A5 b1) / (B5 + A5), sums of the best 5", "quote", fault=PRICE),
    _book("volume_delta_5", "(B5 - A5) less the same a snapshot before", "base", 2, f"{PACED}; older files hold 0"),
    _book(
        "order_flow_imbalance",
        "sum of w (q - q before at that price), bid - ask, w = 1 / (1 + |p - m| / m), best 10",
        "base",
        2,
        f"a level that is gone counts nothing; {PACED}; older files hold imbalance_5",
    ),
    *_sides("{}_intensity", "n / max(mean size, 0.001), best 10", "1/base", SIZE),
    _book("buy_sell_ratio", "(1 + i) / max(1 - i, 0.01), i = imbalance_total", absent=DEEP),
    _book("smart_money_index", "share of volume in sizes of the 90th percentile and above", absent=DEEP),
    *(
        _book(f"largest_{side}_cluster_{what}", f"{what} of the largest of the {RUNS}", unit, absent=DEEP)
        for side in ("bid", "ask")
        for what, unit in (("price", "quote"), ("volume", "base"))
    ),
    *_sides("num_{}_clusters", f"number of {RUNS}", "1", absent=DEEP),
    _book("support_level_1", TWICE.format("largest_bid_cluster_price"), "quote", absent=DEEP),
    _book("resistance_level_1", TWICE.format("largest_ask_cluster_price"), "quote", absent=DEEP),
    _book("distance_to_support", "100 (m - support) / m", "%", absent=DEEP),
    _book("distance_to_resistance", "100 (resistance - m) / m", "%", absent=DEEP),
    _book("liquidity_bid_5", "sum q, best 5", "base", fault=TWICE.format("depth_bid_5")),
    _book("liquidity_ask_5", "sum q, best 5", "base", fault=TWICE.format("depth_ask_5")),
    _book("liquidity_asymmetry", "B5 / A5"),
    _book("effective_spread", "(a1 - b1) / m", fault="the quoted spread, not the effective one"),
    _book(
        "kyle_lambda",
        "median |m change| / |B5 + A5 change| of 10 snapshots where it changed, else spread / (B5 + A5)",
        "quote/base",
        10,
        f"book, not trades; {PACED}; older files hold spread / (B5 + A5)",
    ),
    _book(
        "amihud_illiquidity",
        "mean |return| / mean of both B5 + A5, 20 snapshots",
        "1/base",
        20,
        f"book, not trades; {PACED}; older files hold spread / (B5 + A5)",
    ),
    _book(
        "roll_spread",
        "2 sqrt(-cov of successive mid changes), 20 snapshots; 2 spread / m where it is not negative",
        "quote",
        20,
        f"two units in one column; mids, not trades; {PACED}; older files hold 2 spread / m",
    ),
    _book("depth_imbalance_ratio", f"{SHARE}, best 5", fault=TWICE.format("imbalance_5")),
    _book("level_ttl_avg", "mean life of the last prices that vanished", "s", absent=DEEP),
    _book("level_ttl_std", "deviation of the same", "s", absent=DEEP),
    _book("orderbook_volatility", "deviation of the mid's returns, 20 snapshots", "1", 20, PACED),
    _book("update_frequency", "9 / time of the last 10 snapshots", "1/s", absent=LOOP),
    _book("quote_intensity", TWICE.format("update_frequency"), "1/s", absent=LOOP),
    LegacyFeature(
        "trade_arrival_rate",
        "orderbook",
        "trades of 60 s / 60",
        "1/s",
        60,
        60,
        fault="theirs guessed from the book when nobody traded; older files hold 0",
        trades=True,
    ),
    _book("spread_volatility", "deviation of the spread, 20 snapshots", "quote", 20, PACED),
)
"""The fifty columns in order."""
