"""The columns of migrated tables: the predecessor's names, and what we add to each row.

Here: name lists and the specs of the tables `legacy_samples`, `legacy_layering` and `legacy_candles`.
Not here: which generation of files has which of them (`ml.legacy.batches`, `ml.legacy.offline`, `ml.legacy.patterns`).

A row says where it comes from: `batch` (hash of its source files), `source` (path below the folder that was migrated)
and `source_row`. Times are int64 ns UTC; prices of `legacy_samples` are in quote currency, since the sources hold
floats and nothing says their decimals.
"""

from collections.abc import Mapping
from itertools import starmap

import polars as pl

from ml.features.legacy.table import LEGACY_112
from ml.tables.schemas import CANDLE, SCHEMAS
from ml.tables.spec import Column, Partitioning, TableSpec

FEATURES_112 = tuple(LEGACY_112.columns)
"""Columns of the arrays in their order; those written before November 2025 lack the last two."""
_BASES = """
imbalance_5 depth_imbalance_ratio imbalance_10 volume_delta_5 gap_size momentum_10 update_frequency quote_intensity
rsi_28 roc orderbook_volatility bid_ask_spread_rel effective_spread trade_arrival_rate smart_money_index
"""
LAGGED = tuple(f"{name}_lag{lag}" for name in _BASES.split() for lag in (1, 2, 4, 8))
_OTHERS = """
imbalance_5_change imbalance_5_change_pct imbalance_5_momentum imbalance_ratio_5_10 imbalance_vol_adjusted
imbalance_volume_weighted spread_change spread_momentum rsi_diff rsi_14_momentum composite_signal smart_money_momentum
smart_money_acceleration trade_quote_ratio volatility_regime
"""
DERIVED = tuple(_OTHERS.split())
FEATURES = (*FEATURES_112, *LAGGED, *DERIVED)
"""All 187; a source that lacks some has nulls there."""
HORIZONS = (10, 30, 60, 180, 300)
"""Label horizons in seconds: those of any generation."""

_I64 = pl.Int64()
_F64 = pl.Float64()
_TEXT = pl.String()
_ORIGIN = {"batch": _TEXT, "source": _TEXT, "source_row": _I64}
QUOTED: dict[str, pl.DataType] = {
    "current_mid_price": _F64,
    "spread": _F64,
    "book_imbalance": _F64,
    "signal_type": _TEXT,
    "signal_confidence": _F64,
    "signal_strength": _TEXT,
    "manipulation_detected": pl.Boolean(),
    "manipulation_types": _TEXT,
    "market_regime": _TEXT,
    "feature_quality": _F64,
}
"""What stood beside the features.

`signal_strength` is a word (`WEAK`, `MEDIUM`, `STRONG`); `book_imbalance` lies in [0, 1] with 0.5 = balanced, unlike
that of the features.
"""
LABELS = tuple(f"future_{what}_{h}s" for h in HORIZONS for what in ("movement", "direction"))
"""Label columns of the sources."""
STORED = {
    f"legacy_{what}_{h}s": dtype for h in HORIZONS for what, dtype in (("movement", _F64), ("direction", pl.Int8()))
}
"""Labels as the sources hold them, directions as 0 down, 1 neutral, 2 up."""
FUTURE = {
    f"{what}_{h}s": dtype
    for h in HORIZONS
    for what, dtype in (
        ("future_movement", _F64),
        ("future_direction", pl.Int8()),
        ("future_age", _I64),
        ("future_null_reason", pl.UInt8()),
    )
}
"""Labels computed again: movement (fraction), direction, age (ns) of the price at the target, `NullReason`."""
ROWS = pl.Schema(
    {"ts": _I64, "instrument": _TEXT}
    | dict.fromkeys(FEATURES, _F64)
    | {"features_scaled": pl.Boolean()}
    | QUOTED
    | STORED
    | {"generation": _TEXT}
    | _ORIGIN
)
"""A sample as it is read; `features_scaled` is null where no price tells."""
SAMPLES = pl.Schema({**ROWS, **FUTURE})

_COUNTED = ("layer_count", "total_orders", "hour_utc", "day_of_week", "execution_trade_count")
_TEXTS = ("data_id", "symbol", "market_regime", "label_source", "notes")
_FLAGS = ("is_true_layering", "price_moved_as_expected", "manipulation_successful")
_FLOATS = """
total_volume_btc total_volume_usdt placement_duration cancellation_rate spoofing_execution_ratio avg_order_size
price_spread_bps volatility_24h volume_24h liquidity_score spread_bps price_change_bps expected_impact_bps
impact_ratio execution_volume aggressive_ratio detector_confidence label_confidence volume_score timing_score
cancellation_score execution_correlation_score price_impact_score
"""
_MEASURED = tuple(_FLOATS.split())
OUTCOME = {
    "outcome_label": _TEXT,
    "outcome_movement_bps": _F64,
    "outcome_source": _TEXT,
    "outcome_confidence": _F64,
}
"""What a later script wrote beside a pattern."""
PATTERN: Mapping[str, pl.DataType] = (
    dict.fromkeys(_TEXTS, _TEXT)
    | dict.fromkeys(_MEASURED, _F64)
    | dict.fromkeys(_COUNTED, _I64)
    | dict.fromkeys(_FLAGS, pl.Boolean())
    | OUTCOME
)
"""The predecessor's columns of a layering pattern, without its time; `total_volume_btc` is base quantity."""
PATTERNS = pl.Schema(
    {"ts": _I64, "instrument": _TEXT}
    | PATTERN
    | {"outcome_from": _TEXT, "copies": pl.List(pl.String()), "generation": _TEXT}
    | _ORIGIN
)
"""`copies` names every file row that held the pattern, with its label and the label's source."""
CANDLES = pl.Schema({"timeframe": _TEXT, **SCHEMAS["candles"], **_ORIGIN})
_FACTS = {column.name: (column.unit, column.description) for column in CANDLE} | {
    "ts": ("ns UTC", "When it was taken; of a candle, its close."),
    "instrument": ("", "Id of the instrument."),
    "timeframe": ("", "Length of the candle: 1m, 5m, 15m, 1h, ..."),
    "batch": ("", "Hash of the source's files."),
    "source": ("", "Path of the source, below the folder that was migrated."),
    "source_row": ("1", "Row of the source."),
    "generation": ("", "Which of the predecessor's file layouts it stood in."),
    "features_scaled": ("", "Whether the features are scaled; null where no price tells."),
    "current_mid_price": ("quote", "Mid price, as the predecessor wrote it."),
    "book_imbalance": ("1", "In [0, 1] with 0.5 = balanced, unlike that of the features."),
    "signal_strength": ("", "WEAK, MEDIUM or STRONG."),
    "total_volume_btc": ("base", "Base quantity of the pattern, whatever the coin."),
    "outcome_from": ("", "The file that the outcome stood in."),
    "copies": ("", "Every file row that held the pattern, with its label and the label's source."),
}
_LABELLED = {
    "legacy_movement": ("fraction", "Change of the price over {}, as the source holds it."),
    "legacy_direction": ("", "Direction over {}, as the source holds it: 0 down, 1 neutral, 2 up."),
    "future_movement": ("fraction", "Change of the price over {}, recomputed."),
    "future_direction": ("", "Direction over {}, recomputed: 0 down, 1 neutral, 2 up."),
    "future_age": ("ns", "Age of the price at the end of {}."),
    "future_null_reason": ("", "Why the recomputed labels of {} are null: a code of NullReason, 0 where none is."),
}


def _column(name: str, dtype: pl.DataType) -> Column:
    if name in _FACTS:
        return Column(name, dtype, *_FACTS[name])
    label, _, horizon = name.rpartition("_")
    if label in _LABELLED:
        unit, text = _LABELLED[label]
        return Column(name, dtype, unit, text.format(horizon))
    if name in FEATURES_112:
        return Column(name, dtype, "", f"The predecessor's feature {FEATURES_112.index(name)}, as stored.")
    return Column(name, dtype, "", f"The predecessor's {name.replace('_', ' ')}, as stored.")


def _spec(name: str, row: str, schema: pl.Schema) -> TableSpec:
    return TableSpec(name, row, tuple(starmap(_column, schema.items())), Partitioning.LEGACY)


SPECS = (
    _spec("legacy_samples", "a sample of the predecessor: its features, price, signal and labels", SAMPLES),
    _spec("legacy_layering", "a layering pattern of the predecessor with its best label and its outcome", PATTERNS),
    _spec("legacy_candles", "a candle of a bare array: high, low, close, quote volume", CANDLES),
)
