"""The feature table: every feature's id, family, formula, unit, look-back, what it needs and where it is from.

Here: one line per feature, in the order in which `ml.features.tick.row` computes them.
Not here: the functions (by family), the named sets (`ml.features.sets`), the page for readers (`ml.features.docs`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

FAMILIES = ("book", "flow", "trades", "price", "candles", "context")
SCALE_LOOK_BACK = 1800
"""Seconds over which the size scale S and what is usual look back; they need at least 60 of them."""
KEPT = 59
"""The most whole minutes that an hour of samples holds, wherever in a minute it ends."""
CANDLE_SPANS = {
    "rsi_14": KEPT,
    "macd_hist_atr": KEPT,
    "bb_position": 20,
    "bb_width_bps": 20,
    "atr_14_bps": KEPT,
    "adx_14": KEPT,
    "stoch_k_14": 14,
    "mfi_14": 15,
    "cmf_20": 20,
    "close_vwap_20_bps": 20,
    "volume_z_20": 20,
    "return_15m_bps": 16,
}
"""Indicators in order, and of how many candles each is made."""
SIDES = ("bid", "ask")

CONT = "Cont, Kukanov, Stoikov 2014"
GOULD = "Gould, Bonart 2016"
OWN = "lobforge"


@dataclass(frozen=True)
class Feature:
    """One feature.

    Args:
        id: name of its column.
        family: one of FAMILIES.
        formula: in the notation of the field; b, a prices, B, A sizes, m mid, S size scale, w window.
        unit: unit of the value, `1` for a pure number.
        look_back: seconds of samples on which the value depends at most; 0 is the instant alone.
        needs: wholly valid samples that must lie behind the instant, else the value is null, `warm_up`.
        undefined: what stands where the formula has no value: `null` or a number.
        source: who described it.
        trades: whether it needs to know every trade of its look-back, else it is null, `no_trades_captured`.
    """

    id: str
    family: str
    formula: str
    unit: str
    look_back: int = 0
    needs: int = 0
    undefined: str = "null"
    source: str = OWN
    trades: bool = False


def _scaled(
    name: str, family: str, formula: str, unit: str = "1", undefined: str = "null", source: str = OWN
) -> Feature:
    """A feature that is set against the last 30 minutes."""
    return Feature(name, family, formula, unit, SCALE_LOOK_BACK, 60, undefined, source)


def _with_trades(features: Iterable[Feature]) -> list[Feature]:
    """The same features, each of which needs to know every trade of its look-back."""
    return [replace(feature, trades=True) for feature in features]


def _book() -> list[Feature]:
    features = [
        Feature("spread_ticks", "book", "a1 - b1", "ticks"),
        Feature("spread_bps", "book", "1e4 (a1 - b1) / m", "bps"),
        Feature("micro_dev_bps", "book", "1e4 ((b1 A1 + a1 B1) / (A1 + B1) - m) / m", "bps", source="Stoikov 2018"),
        Feature("vwmid5_dev_bps", "book", "1e4 ((vwap(b, B, 5) + vwap(a, A, 5)) / 2 - m) / m", "bps"),
    ]
    share = "(sum B - sum A) / (sum B + sum A)"
    features += [Feature(f"qi_{n}", "book", f"{share}, best {n} a side", "1", source=GOULD) for n in (1, 3, 5, 10)]
    near = "of the mid, the best level always among them, 20 levels at most"
    for x in (2, 5, 10, 20):
        features.append(Feature(f"qi_{x}bps", "book", f"{share}, levels within {x} bps {near}", "1", source=GOULD))
    features += [_scaled(f"depth_{side}_5", "book", "ln(1 + sum of 5 sizes / S)") for side in SIDES]
    features += [_scaled(f"depth_{side}_20bps", "book", "ln(1 + size within 20 bps / S)") for side in SIDES]
    for side in SIDES:
        fit = "least-squares slope of ln cumulative size on ln |p - m|, 10 levels"
        features.append(Feature(f"slope_{side}", "book", fit, "1", source="Naes, Skjeltorp 2006"))
    features += [Feature(f"gap_{side}_ticks", "book", "|p2 - p1|", "ticks") for side in SIDES]
    features += [Feature(f"hhi_{side}_10", "book", "sum of squared size shares, 10 levels", "1") for side in SIDES]
    features += [_scaled(f"wall_{side}", "book", "largest level within 20 bps / S") for side in SIDES]
    far = "1e4 |p - m| / m of the largest level within 20 bps, the nearest of equals"
    return features + [Feature(f"wall_{side}_bps", "book", far, "bps") for side in SIDES]


def _flow() -> list[Feature]:
    features: list[Feature] = []
    for name, what, source in (
        ("1", "level 1", CONT),
        ("5", "levels 1 to 5", "Xu, Gould, Howison 2018"),
        ("10", "levels 1 to 10", "Xu, Gould, Howison 2018"),
        ("weighted", "levels 1 to 10 with declared weights 1/k / sum 1/k", "after Cont, Cucuringu, Zhang 2023"),
    ):
        for w in (1, 5, 30):
            formula = f"sum of order-flow imbalance, {what}, w = {w} s / (S sqrt(w))"
            features.append(_scaled(f"ofi_{name}_{w}s", "flow", formula, source=source))
    for name, what in (
        ("add_imb", "added (bid - ask) / (bid + ask)"),
        ("cancel_imb", "cancelled (bid - ask) / (bid + ask)"),
        ("net_imb", "(added - cancelled, bid - ask) / total"),
    ):
        for w in (1, 5, 30):
            features.append(Feature(f"{name}_{w}s", "flow", f"{what} within 20 bps, w = {w} s", "1", w, w, "0"))
    for side in SIDES:
        for w in (1, 5, 30):
            formula = f"cancelled / (cancelled + traded) within 20 bps, w = {w} s, less the same of 30 min"
            features.append(_scaled(f"cancel_share_{side}_{w}s", "flow", formula, undefined="0"))
    for side in SIDES:
        for w in (5, 30):
            formula = f"sum over seconds and bands of min(cancelled, added in it and the one before) / added, w = {w} s"
            features.append(Feature(f"fleeting_{side}_{w}s", "flow", formula, "1", w + 1, w + 1, "0"))
    features.append(Feature("update_rate_5s", "flow", "ln(1 + level updates / s), w = 5 s", "ln 1/s", 5, 5))
    return features


def _counts() -> list[Feature]:
    signed = "(buy - sell) / (buy + sell)"
    features = list[Feature]()
    for w in (1, 5, 30, 60):
        features.append(Feature(f"volume_imb_{w}s", "trades", f"{signed} volume, w = {w} s", "1", w, w, "0"))
    for w in (1, 5, 30, 60):
        features.append(Feature(f"trade_rate_{w}s", "trades", f"ln(1 + trades / s), w = {w} s", "ln 1/s", w, w))
    for w in (5, 30):
        features.append(Feature(f"count_imb_{w}s", "trades", f"{signed} trades, w = {w} s", "1", w, w, "0"))
    for w in (5, 30):
        formula = f"ln(1 + volume, w = {w} s / mean volume of {w} s over 30 min)"
        features.append(_scaled(f"volume_ratio_{w}s", "trades", formula, undefined="0"))
    return features


def _trades() -> list[Feature]:
    return [
        *_counts(),
        _scaled("print_size_30s", "trades", "ln(mean trade, w = 30 s / mean trade of 30 min)", undefined="0"),
        Feature("largest_share_60s", "trades", "largest trade / volume, w = 60 s", "1", 60, 60, "0"),
        Feature(
            "vpin",
            "trades",
            "mean |buy - sell| / volume, 50 equal-volume buckets of up to 1 h, at least 10 min",
            "1",
            3600,
            600,
            "0",
            "Easley, Lopez de Prado, O'Hara 2012",
        ),
        Feature(
            "kyle_60s",
            "trades",
            "slope of 1 s returns on the signed root of net volume x sqrt(S), w = 60 s",
            "bps",
            SCALE_LOOK_BACK,
            61,
            "0",
            "Kyle 1985, Hasbrouck 2009",
        ),
        Feature(
            "amihud_60s",
            "trades",
            "mean of |1 s return| / (volume / S) over seconds with trades, w = 60 s",
            "bps",
            SCALE_LOOK_BACK,
            61,
            "0",
            "Amihud 2002",
        ),
        Feature(
            "roll_60s",
            "trades",
            "1e4 2 sqrt(-cov of successive price changes, last trade per second) / m, w = 60 s",
            "bps",
            60,
            60,
            "0",
            "Roll 1984",
        ),
        Feature(
            "effective_spread_30s",
            "trades",
            "1e4 sum of size 2 |p - m before| / sum of size p, w = 30 s",
            "bps",
            30,
            30,
            "0",
            "Lee, Ready 1991",
        ),
        *(
            _scaled(
                f"hawkes_{side}",
                "trades",
                "sum e^-k trades(t - k), k = 0 to 9 s, / sum e^-k / mean of 30 min",
                undefined="0",
                source="Hawkes 1971",
            )
            for side in ("buy", "sell")
        ),
    ]


def _price() -> list[Feature]:
    returns = "1 s returns to 1e-9, at most 0.1"
    features = [
        Feature(f"return_{w}s", "price", f"1e4 (m / m(t - {w}) - 1)", "bps", w + 1, w + 1) for w in (1, 5, 10, 30, 60)
    ]
    features += [
        Feature(f"rv_{w}s", "price", f"1e4 sqrt(sum of squared {returns}), w = {w} s", "bps", w + 1, w + 1)
        for w in (10, 60, 300)
    ]
    return [
        *features,
        Feature(
            "jump_300s",
            "price",
            "1 - (pi/2) (300/299) sum |r_k r_k-1| / sum r_k^2",
            "1",
            301,
            301,
            "0",
            "Barndorff-Nielsen, Shephard 2004",
        ),
        Feature(
            "skew_300s",
            "price",
            "sqrt(300) sum r^3 / (sum r^2)^1.5",
            "1",
            301,
            301,
            "0",
            "Amaya, Christoffersen, Jacobs, Vasquez 2015",
        ),
        Feature("range_60s", "price", "1e4 (high - low) / m of the mids of 60 s", "bps", 60, 60),
        Feature(
            "parkinson_300s",
            "price",
            "1e4 sqrt(sum of ln(high / low)^2 over five minutes back from t / (4 ln 2))",
            "bps",
            300,
            300,
            source="Parkinson 1980",
        ),
        Feature("to_high_60s", "price", "1e4 (high - m) / m", "bps", 60, 60),
        Feature("to_low_60s", "price", "1e4 (m - low) / m", "bps", 60, 60),
        Feature("last_trade_dev_bps", "price", "1e4 (last trade - microprice) / m", "bps"),
    ]


def _candles() -> list[Feature]:
    columns = {
        "rsi_14": (
            "100 gain / (gain + loss), Wilder averages over 14, begun 59 candles back",
            "1",
            "50",
            "Wilder 1978",
        ),
        "macd_hist_atr": ("MACD(12, 26, 9) histogram / ATR 14, begun 59 candles back", "1", "0", "Appel 1979"),
        "bb_position": ("(close - lower) / (upper - lower), bands of 2 deviations of 20", "1", "0.5", "Bollinger 1992"),
        "bb_width_bps": ("1e4 (upper - lower) / middle, bands of 2 deviations of 20", "bps", "null", "Bollinger 1992"),
        "atr_14_bps": ("1e4 ATR 14 / close, begun 59 candles back", "bps", "null", "Wilder 1978"),
        "adx_14": ("average directional index of 14, begun 59 candles back", "1", "0", "Wilder 1978"),
        "stoch_k_14": ("100 (close - low 14) / (high 14 - low 14)", "1", "50", "Lane 1984"),
        "mfi_14": ("100 gained / (gained + lost) typical price x volume of 14", "1", "50", "Quong, Soudack 1989"),
        "cmf_20": ("sum of volume (2 close - high - low) / (high - low) / sum of volume, 20", "1", "0", "Chaikin"),
        "close_vwap_20_bps": ("1e4 (close / volume-weighted price of 20 - 1)", "bps", "0", OWN),
        "volume_z_20": ("(volume - mean of 20) / deviation of 20", "1", "0", OWN),
        "return_15m_bps": ("1e4 (close / close 15 candles back - 1)", "bps", "null", OWN),
    }
    # a row stands up to 59 s after the last closed minute, and must reach back to the first of its candles
    return [
        Feature(
            name,
            "candles",
            f"last closed UTC minutes: {formula}",
            unit,
            60 * CANDLE_SPANS[name] + 59,
            60 * CANDLE_SPANS[name] + 59,
            undefined,
            source,
        )
        for name, (formula, unit, undefined, source) in columns.items()
    ]


def _context() -> list[Feature]:
    return [
        Feature("day_sin", "context", "sin(2 pi time of day / 24 h), UTC", "1"),
        Feature("day_cos", "context", "cos(2 pi time of day / 24 h), UTC", "1"),
        Feature("funding_hours", "context", "time to the next 00, 08 or 16 UTC; not the venue's own calendar", "h"),
        Feature("book_age_ms", "context", "time since the last book message", "ms"),
    ]


# what left a level was cancelled or traded: nobody knows which without the trades
_LEFT = ("cancel_", "net_", "fleeting_")
FEATURES: tuple[Feature, ...] = (
    *_book(),
    *(replace(feature, trades=feature.id.startswith(_LEFT)) for feature in _flow()),
    *_with_trades(_trades()),
    *(replace(feature, trades=feature.id.startswith("last_trade")) for feature in _price()),
    *_with_trades(_candles()),
    *_context(),
)
