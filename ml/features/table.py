"""The feature table: every feature's id, family, formula, unit, look-back and what it needs.

Here: one line a feature, in the order in which `ml.features.row` computes them.
Not here: the functions (by family), the named sets (`ml.features.sets`).
"""

from dataclasses import dataclass

FAMILIES = ("book", "flow", "trades")
SCALE_LOOK_BACK = 1800
"""Seconds over which the size scale S looks back; it needs at least 60 of them."""
STALE_NS = 60 * 10**9
"""A book that has not changed for longer gives no feature."""


@dataclass(frozen=True)
class Feature:
    """One feature.

    Args:
        id: name of its column.
        family: one of FAMILIES.
        formula: in the notation of the field; b, a prices, B, A sizes, S size scale, w window.
        unit: unit of the value, `1` for a pure number.
        look_back: seconds of samples on which the value depends at most; 0 is the instant alone.
        needs: wholly valid samples that must lie behind the instant, else the value is null, `warm_up`.
        undefined: what stands where the formula has no value: `null` or `0`.
    """

    id: str
    family: str
    formula: str
    unit: str
    look_back: int = 0
    needs: int = 0
    undefined: str = "null"


def _book() -> list[Feature]:
    features = [
        Feature("spread_ticks", "book", "a1 - b1", "ticks"),
        Feature("spread_bps", "book", "1e4 (a1 - b1) / m", "bps"),
        Feature("micro_dev_bps", "book", "1e4 ((b1 A1 + a1 B1) / (A1 + B1) - m) / m", "bps"),
        Feature("vwmid5_dev_bps", "book", "1e4 ((vwap(b, B, 5) + vwap(a, A, 5)) / 2 - m) / m", "bps"),
    ]
    features += [
        Feature(f"qi_{n}", "book", f"(sum B - sum A) / (sum B + sum A), {n} levels", "1") for n in (1, 3, 5, 10)
    ]
    for side in ("bid", "ask"):
        features.append(Feature(f"depth_{side}_5", "book", "ln(1 + sum of 5 sizes / S)", "1", SCALE_LOOK_BACK, 60))
    for side in ("bid", "ask"):
        features.append(
            Feature(f"slope_{side}", "book", "OLS slope of ln cumulative size on ln |p - m|, 10 levels", "1")
        )
    for side in ("bid", "ask"):
        features.append(Feature(f"gap_{side}_ticks", "book", "|p2 - p1|", "ticks"))
    for side in ("bid", "ask"):
        features.append(Feature(f"hhi_{side}_10", "book", "sum of squared size shares, 10 levels", "1"))
    return features


def _flow() -> list[Feature]:
    features: list[Feature] = []
    for levels in (1, 5):
        for w in (1, 5, 30):
            formula = f"sum of order-flow imbalance, levels 1 to {levels}, w = {w} s / (S sqrt(w))"
            features.append(Feature(f"ofi_{levels}_{w}s", "flow", formula, "1", SCALE_LOOK_BACK, 60))
    for w in (1, 5, 30):
        formula = f"(added - cancelled, bid - ask) / total within 20 bps, w = {w} s"
        features.append(Feature(f"net_imb_{w}s", "flow", formula, "1", w, w, "0"))
    for w in (5, 30):
        formula = f"cancelled (bid - ask) / (bid + ask) within 20 bps, w = {w} s"
        features.append(Feature(f"cancel_imb_{w}s", "flow", formula, "1", w, w, "0"))
    features.append(Feature("update_rate_5s", "flow", "ln(1 + level updates / s), w = 5 s", "ln 1/s", 5, 5))
    return features


def _trades() -> list[Feature]:
    features: list[Feature] = []
    for w in (5, 30, 60):
        features.append(
            Feature(f"volume_imb_{w}s", "trades", f"(buy - sell) / (buy + sell) volume, w = {w} s", "1", w, w, "0")
        )
    for w in (5, 30):
        features.append(
            Feature(f"count_imb_{w}s", "trades", f"(buy - sell) / (buy + sell) prints, w = {w} s", "1", w, w, "0")
        )
    for w in (5, 30):
        features.append(Feature(f"trade_rate_{w}s", "trades", f"ln(1 + prints / s), w = {w} s", "ln 1/s", w, w))
    return features


FEATURES: tuple[Feature, ...] = (*_book(), *_flow(), *_trades())
