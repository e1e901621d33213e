"""The feature table for readers: `docs/features.md` and `lobforge features list`.

Here: both texts, made of nothing but the table and the sets.
Not here: the features (`ml.features.table`).
"""

from dataclasses import asdict
from typing import Any

from ml.candles import TIMEFRAMES
from ml.dates import SECOND
from ml.features.candle_sets import CandleSet
from ml.features.sets import SETS, FeatureSet
from ml.features.table import FAMILIES, FEATURES, Feature
from ml.features.unified.table import UNIFIED

TITLES = {
    "book": "Book shape",
    "flow": "Order flow",
    "trades": "Trades",
    "price": "Price and volatility",
    "candles": "Minutes",
    "context": "Context",
}
HEAD = """# Features

Made by `lobforge features list --markdown`; a test holds it against the code. Each feature is one compiled function of
the samples up to its stamp, the same for a stored day and for a live stream, bit for bit.

b, a are prices and B, A sizes of bid and ask levels, m is the mid, w a window. S, the size scale, is the median best
size of both sides over the last 30 minutes, at least one. *looks back* is how many seconds of samples the value depends
on at most, this one included; *needs* is how many whole seconds with a known book must lie behind it, else it is null,
`warm_up`. *nothing* is the value where the formula has none because nothing happened: null, `undefined`, or a number. A
book that is not known, is one-sided or has not changed for 60 s gives no feature. Why a value is null stands in
`null_reason_<family>`, the first reason of the family's features.

Windows add up whole numbers, which is exact, or pass over the window itself. Recursive averages begin a declared number
of candles back. Nothing depends on what lay before *looks back*.
"""


def as_dicts() -> list[dict[str, Any]]:
    """Every set, of samples and of candles: name, hash, and its columns in order; look-back and needs in seconds."""
    sets = [(chosen, [_column(feature) for feature in chosen.features]) for chosen in SETS.values()]
    sets.append((UNIFIED, _candle_columns(UNIFIED)))
    return [{"name": chosen.name, "hash": chosen.hash, "columns": columns} for chosen, columns in sets]


def markdown() -> str:
    """The page `docs/features.md`."""
    lines = [HEAD, "| set | features | hash | rows are whole after |", "|---|---|---|---|"]
    lines += [f"| `{s.name}` | {len(s.features)} | `{s.hash}` | {_needs(s)} s |" for s in SETS.values()]
    for family in FAMILIES:
        own = [feature for feature in FEATURES if feature.family == family]
        lines += ["", f"## {TITLES[family]} ({len(own)})", ""]
        lines += [
            "| feature | formula | unit | looks back | needs | nothing | source |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(feature) for feature in own]
    return "\n".join(lines) + "\n"


def _column(feature: Feature) -> dict[str, Any]:
    return asdict(feature) | {"dtype": "float64"}


def _candle_columns(chosen: CandleSet) -> list[dict[str, Any]]:
    step = TIMEFRAMES[chosen.timeframe] // SECOND
    return [
        {"id": column.id, "family": family, "formula": column.formula, "unit": column.unit, "dtype": "float64"}
        | {"look_back": column.needs * step, "needs": column.needs * step, "undefined": "null"}
        for column, family in zip(chosen.columns, chosen.families, strict=True)
    ]


def _needs(chosen: FeatureSet) -> int:
    return max(feature.needs for feature in chosen.features)


def _row(feature: Feature) -> str:
    formula = feature.formula.replace("|", "\\|").replace("*", "\\*")
    cells = [f"`{feature.id}`", formula, feature.unit, feature.look_back, feature.needs, feature.undefined]
    return "| " + " | ".join(str(cell) for cell in [*cells, feature.source]) + " |"
