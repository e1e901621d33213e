"""Cues in the files of the predecessor: `layering_data_YYYYMMDD_HHMMSS.parquet` with its 37 columns, and statistics.

Here: the projection of the data set, and the files.
Not here: reading such files (`ml.legacy.patterns`), the columns (`ml.legacy.columns`).

What the predecessor's rule alone defines (the parts of its score, the impact that it expects) is null.
"""

import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from ml.core.time import MS, SECOND
from ml.layering.labels import FOR_TESTS
from ml.legacy.columns import PATTERN
from ml.storage.durable import make_folder, write_bytes, write_text

ROWS_A_FILE = 100
STATISTICS = "statistics.json"
OURS = "lobforge"
SOURCES = {
    "injected": "injected",
    "gold": "manual",
    "silver": "manual",
    "weak": "price_action_30s",
    "self": "automatic",
}
"""What the predecessor calls who labelled."""
NOTE = "made by lobforge; null is not computed by its detector"
_COLUMNS = """
data_id timestamp symbol total_volume_btc total_volume_usdt placement_duration cancellation_rate
spoofing_execution_ratio layer_count total_orders avg_order_size price_spread_bps market_regime volatility_24h
volume_24h liquidity_score spread_bps hour_utc day_of_week price_change_bps expected_impact_bps impact_ratio
execution_volume execution_trade_count aggressive_ratio detector_confidence is_true_layering label_source
label_confidence price_moved_as_expected manipulation_successful volume_score timing_score cancellation_score
execution_correlation_score price_impact_score notes
"""
COLUMNS = tuple(_COLUMNS.split())
"""In the predecessor's order."""


def write(folder: Path, dataset: pl.DataFrame) -> int:
    """Write the cues of a data set, and return how many files there are.

    Files of an earlier call that hold no cue any more are removed. A cue that a capture added stays until the data set
    has it: its day may not be stored yet. Where the folder holds the predecessor's own statistics it is
    left as it is, and 0 returned.
    """
    before = _statistics(folder)
    if before is None:
        return 0
    make_folder(folder)
    rows = projected(dataset)
    files = dict[str, pl.DataFrame]()
    for part in rows.iter_slices(ROWS_A_FILE):
        name = _name(part)
        files[name] = pl.concat([files[name], part]) if name in files else part
    added = _waiting(folder, before, rows)
    for name in files.keys() | added.keys():
        _put(folder / name, pl.concat([part[name] for part in (files, added) if name in part]))
    labels = rows["is_true_layering"].drop_nulls()
    document: dict[str, object] = {
        "total_collected": rows.height,
        "total_labeled": len(labels),
        "total_saved": rows.height,
        "last_updated": _iso(rows["timestamp"][-1]) if rows.height else None,
        "class_balance": {"true": int(labels.sum()), "false": int((~labels).sum())},
        "written_by": OURS,
        "files": sorted(files),
        "added": sorted(added),
    }
    write_text(folder / STATISTICS, json.dumps(document, indent=1, sort_keys=True))
    for name in {*before.get("files", ()), *before.get("added", ())} - files.keys() - added.keys():
        (folder / name).unlink(missing_ok=True)
    return len(files)


def add(folder: Path, dataset: pl.DataFrame) -> str | None:
    """Write cues as one more file, and return its name; cues of the same second join the file that there is.

    Where the folder holds the predecessor's own statistics it is left as it is, and None returned.
    """
    before = _statistics(folder)
    if before is None:
        return None
    make_folder(folder)
    rows = projected(dataset)
    name = _name(rows)
    path = folder / name
    _put(path, pl.concat([pl.read_parquet(path.read_bytes()), rows]) if path.exists() else rows)
    more = {key: before.get(key, 0) + rows.height for key in ("total_collected", "total_saved")}
    document = {"total_labeled": 0, "class_balance": {"true": 0, "false": 0}} | before | more
    document |= {"last_updated": _iso(rows["timestamp"][-1]), "added": sorted({*before.get("added", ()), name})}
    write_text(folder / STATISTICS, json.dumps(document, indent=1, sort_keys=True))
    return name


def _waiting(folder: Path, before: dict[str, Any], rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Cues that captures added and that the data set does not have, by the file that they are in."""
    paths = [folder / name for name in before.get("added", ()) if (folder / name).exists()]
    found = {path.name: pl.read_parquet(path.read_bytes()).join(rows, on="data_id", how="anti") for path in paths}
    return {name: part for name, part in found.items() if part.height}


def _statistics(folder: Path) -> dict[str, Any] | None:
    """What the folder says of itself; None where it is the predecessor's own."""
    path = folder / STATISTICS
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"written_by": OURS}
    return found if found.get("written_by") == OURS else None


def _name(rows: pl.DataFrame) -> str:
    first = datetime.fromtimestamp(rows["timestamp"][0] // 1000, UTC)
    return f"layering_data_{first:%Y%m%d_%H%M%S}.parquet"


def _put(path: Path, rows: pl.DataFrame) -> None:
    sink = BytesIO()
    rows.write_parquet(sink, compression="snappy")
    write_bytes(path, sink.getvalue())


def projected(dataset: pl.DataFrame) -> pl.DataFrame:
    """Rows of `layering_dataset` in the predecessor's columns; volumes are in base currency whatever the coin."""
    side = pl.when(pl.col("side") == "bid").then(1).otherwise(-1)
    traded = pl.col("pushed_trades") + pl.col("opposed_trades")
    symbol = pl.col("instrument").str.split(".").list.last()
    ms = pl.col("ts") // MS
    time = pl.from_epoch(pl.col("ts") // SECOND)
    known: dict[str, pl.Expr] = {
        "data_id": pl.concat_str(symbol, ms, pl.int_range(pl.len()).over("instrument", ms), separator="_"),
        "timestamp": ms,
        "symbol": symbol,
        "total_volume_btc": pl.col("volume"),
        "total_volume_usdt": pl.col("notional"),
        "placement_duration": pl.col("placement"),
        "cancellation_rate": 1 - pl.col("filled"),
        "spoofing_execution_ratio": pl.when(pl.col("pushed_trades") > 0).then(1 / pl.col("pushed_trades")),
        "layer_count": pl.col("layers"),
        "total_orders": pl.col("layers"),
        "avg_order_size": pl.col("volume") / pl.col("layers"),
        "price_spread_bps": pl.col("span_per_layer") * pl.col("layers"),
        "market_regime": pl.col("market_regime").fill_null("unknown"),
        "volatility_24h": pl.col("volatility_24h"),
        "volume_24h": pl.col("volume_24h"),
        "liquidity_score": pl.col("liquidity"),
        "spread_bps": pl.col("spread_bps"),
        "hour_utc": time.dt.hour(),
        "day_of_week": time.dt.weekday() - 1,
        "price_change_bps": pl.col("mid_move") * side,
        "execution_volume": pl.col("pushed_trades") * pl.col("volume"),
        "aggressive_ratio": pl.when(traded > 0).then(pl.col("pushed_trades") / traded),
        "detector_confidence": pl.col("score"),
        "is_true_layering": pl.col("label").cast(pl.Boolean),
        "label_source": pl.col("tier").replace_strict(SOURCES, default=None),
        "label_confidence": pl.when(pl.col("tier").is_in(FOR_TESTS)).then(1.0),
        "notes": pl.lit(NOTE),
    }
    types = {**PATTERN, "timestamp": pl.Int64()}
    return dataset.select(known.get(name, pl.lit(None)).cast(types[name]).alias(name) for name in COLUMNS)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
