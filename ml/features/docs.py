"""The feature table for readers: `docs/features.md` and `lobforge features list`.

Here: both texts, made of nothing but the table and the sets.
Not here: the features (`ml.features.tick.table`).
"""

from dataclasses import asdict
from typing import Any

from ml.candles.from_trades import TIMEFRAMES
from ml.core.time import SECOND
from ml.features.candle.sets import CandleSet
from ml.features.candle.table import UNIFIED
from ml.features.legacy.feature import LegacyFeature
from ml.features.legacy.table import BEGUN, LEGACY_110, LEGACY_112, LEGACY_SETS
from ml.features.pressure.table import FAMILY as PRESSURE_FAMILY
from ml.features.sets import ALL, SETS, FeatureSet
from ml.features.tick.table import FAMILIES, Feature

TITLES = {
    "book": "Book shape",
    "flow": "Order flow",
    "trades": "Trades",
    "price": "Price and volatility",
    "candles": "Minutes",
    "context": "Context",
    PRESSURE_FAMILY: "Spoofing pressure",
}
PRESSURE_HEAD = """They lie in a table of their own, `spoofing_pressure`, and are made of lots
([layering.md](layering.md)). Experiments whose feature set is `base_35_pressure` read them. Nothing is known of lots
for 91 s after midnight (UTC) and after a gap.
"""
HEAD = """# Features

Made by `make docs`; a test asserts that it is current. Each feature is one compiled function of
the samples up to its stamp, the same for a stored day and for a live stream, bit for bit.

b, a are prices and B, A sizes of bid and ask levels, m is the mid, w a window. S, the size scale, is the median best
size of both sides over the last 30 minutes, at least one. *looks back* is how many seconds of samples the value
depends on at most, this one included; *needs* is how many whole seconds with a known book must lie behind it, else it
is null, `warm_up`; where it says *trades*, they must have been captured over all of these seconds, and over the last
one if it needs none, else it is null, `no_trades_captured`. *nothing* is the value where the formula has none because
nothing happened: null, `undefined`, or a number. A book that is not known, is one-sided or had no message for
`stale_after` (60 s unless `lobforge.toml` says otherwise for the instrument) gives no feature. Why a value is null
stands in `null_reason_<family>`, the first reason of the family's features.

Windows add up whole numbers, which is exact, or pass over the window itself. Recursive averages begin a declared number
of candles back. Nothing depends on what lay before *looks back*.
"""
LEGACY = f"""
## The predecessor's columns ({len(LEGACY_112.columns)})

`legacy_112`, and `legacy_110` without the last two, are the columns of the predecessor's arrays in their order,
`feature_000` and on: the assets of those names make them for models that were trained on them. Nothing of ours is
trained on them. Columns of the book and of trades are made of the samples, those of candles of the stored minutes, the
last closed one and those behind it; prices and sizes are in currency. o h l c v are open, high, low, close and volume,
x_n is x n candles ago, recursive averages begin {BEGUN["legacy_110"]} candles back in `legacy_110` and
{BEGUN["legacy_112"]} in `legacy_112`. *fault* is what is wrong with a column and kept, *null:* why it is unavailable.
The predecessor's files may hold scaled values; these are not scaled.

| k | column | formula | unit | needs | nothing | fault |
|---|---|---|---|---|---|---|"""
PLAIN = """
Arrays of 110 columns have plain forms of some indicators:

| k | column | formula | unit | needs | nothing | fault |
|---|---|---|---|---|---|---|"""


def as_dicts() -> list[dict[str, Any]]:
    """Every set, of samples and of candles: name, hash, and its columns in order; look-back and needs in seconds."""
    of_samples = (*SETS.values(), *LEGACY_SETS.values())
    sets = [(chosen.name, chosen.hash, [_column(feature) for feature in chosen.features]) for chosen in of_samples]
    sets.append((UNIFIED.name, UNIFIED.hash, _candle_columns(UNIFIED)))
    return [{"name": name, "hash": identity, "columns": columns} for name, identity, columns in sets]


def markdown() -> str:
    """The page `docs/features.md`."""
    lines = [HEAD, "| set | features | hash | rows are whole after |", "|---|---|---|---|"]
    lines += [
        f"| `{s.name}` | {len(s.features)} | `{s.hash}` | {_needs(s)} s |"
        for s in (*SETS.values(), *LEGACY_SETS.values())
    ]
    for family in (*FAMILIES, PRESSURE_FAMILY):
        own = [feature for feature in ALL if feature.family == family]
        lines += ["", f"## {TITLES[family]} ({len(own)})", ""]
        lines += [PRESSURE_HEAD] if family == PRESSURE_FAMILY else []
        lines += [
            "| feature | formula | unit | looks back | needs | nothing | source |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(feature) for feature in own]
    plain = [k for k, column in enumerate(LEGACY_110.features) if column != LEGACY_112.features[k]]
    lines += [LEGACY, *(_legacy_row(LEGACY_112, k) for k in range(len(LEGACY_112.columns)))]
    lines += [PLAIN, *(_legacy_row(LEGACY_110, k) for k in plain)]
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


def _legacy_row(chosen: FeatureSet, k: int) -> str:
    column = chosen.features[k]
    assert isinstance(column, LegacyFeature)  # noqa: S101 - these sets hold no other
    fault = f"null: {column.absent}" if column.absent else column.fault
    cells = [k, f"`{column.id}`", _text(column.formula), column.unit, column.needs, column.undefined, _text(fault)]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _text(formula: str) -> str:
    return formula.replace("|", "\\|").replace("*", "\\*")


def _row(feature: Feature) -> str:
    cells = [
        f"`{feature.id}`",
        _text(feature.formula),
        feature.unit,
        feature.look_back,
        f"{feature.needs}, trades" if feature.trades else feature.needs,
        feature.undefined,
    ]
    return "| " + " | ".join(str(cell) for cell in [*cells, feature.source]) + " |"
