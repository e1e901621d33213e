"""The table `legacy_candles`: bare candle arrays, whose times and coins only the user knows.

Here: an array of time x coin x (high, low, close, quote volume) as candles in whole units.
Not here: candles from trades (`ml.candles.from_trades`) or of a venue (`ml.candles.rest`); they have an open and a
volume.

The array has no open and no base volume: those stay null, none is invented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from ml.candles.from_trades import TIMEFRAMES
from ml.core.config import Config
from ml.core.errors import FrameError, SettingsError, SourceRefused
from ml.core.instruments import Instrument, to_units
from ml.core.paths import DataRoot
from ml.core.versions import LEGACY_FILES, code_version
from ml.legacy import arrays, proofs
from ml.legacy.columns import CANDLES
from ml.legacy.parts import Part, Source, opened, proof, refuse
from ml.storage import commit
from ml.tables.spec import conform

TABLE = "legacy_candles"
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Grid:
    """What the arrays do not say: opening time of the first candle (ns UTC), timeframe, instruments in their order."""

    start: int
    timeframe: str
    instruments: tuple[Instrument, ...]


def grid(configuration: Config, venue: str, start: str | None, timeframe: str, symbols: str) -> Grid | None:
    """The grid that a user gives as text: ISO start (UTC unless it says so) and symbols by commas; None for none.

    Raises:
        SettingsError: one of start and symbols is missing, or the start or the timeframe is invalid.
        InstrumentError: a symbol is not listed.
    """
    names = [name.strip() for name in symbols.split(",") if name.strip()]
    if (start is None) != (not names):
        raise SettingsError("The start and the symbols of candle arrays belong together. Give both or neither.")
    if start is None:
        return None
    try:
        opened_at = datetime.fromisoformat(start)
    except ValueError as error:
        raise SettingsError(
            f"Candles start at {start!r}, which is not a time. Write it like 2025-03-01T00:00."
        ) from error
    if timeframe not in TIMEFRAMES:
        raise SettingsError(f"Candles of {timeframe!r} are not supported. Available: {', '.join(TIMEFRAMES)}.")
    moment = opened_at.replace(tzinfo=UTC) if opened_at.tzinfo is None else opened_at
    instruments = tuple(configuration.instrument(f"{venue}.{name}") for name in names)
    return Grid(int(moment.timestamp()) * 10**9, timeframe, instruments)


def migrate(root: DataRoot, sources: Sequence[Source], times: Grid | None, dry_run: bool = False) -> dict[str, Any]:
    """Bring arrays into the table, and say what became of every candle.

    Args:
        root: where the table lies.
        sources: of the kind `candles`.
        times: times and instruments; without them the arrays are quarantined.
        dry_run: only say it.
    """
    parts = [_part(source, times) for source in sources]
    fresh = pl.concat([part.frame for part in parts]) if parts else pl.DataFrame(schema=_FULL)
    kept = fresh.sort("source", "source_row").unique(["instrument", "timeframe", "ts"], keep="last")
    written = 0
    if not dry_run:
        proofs.tidy(root, TABLE)
        for part in parts:
            proofs.keep(root, TABLE, part, code_version(LEGACY_FILES))
        written = sum(_publish(root, rows) for rows in kept.sort("ts").partition_by("day", "instrument"))
    return {
        "sources": len(parts),
        "rows": sum(part.rows for part in parts),
        "kept": kept.height,
        "duplicates": fresh.height - kept.height,
        **proofs.faults(map(proof, parts)),
        "files_written": written,
    }


_FULL = pl.Schema({"day": pl.String(), "instrument": pl.String(), **CANDLES})


def _part(source: Source, times: Grid | None) -> Part:
    part = opened(source)
    part.frame = pl.DataFrame(schema=_FULL)
    try:
        return read(part, arrays.load(source.files["data"]), times)
    except SourceRefused as error:
        return refuse(part, error.reason, error.detail, error.rows)


def read(part: Part, array: np.ndarray, times: Grid | None) -> Part:
    """The candles of an array (time, coin, 4).

    Raises:
        SourceRefused: the array has another shape, or nothing says its times and instruments.
    """
    if array.ndim != 3 or array.shape[2] != 4:
        raise SourceRefused("bad_width", f"the array is {array.shape}, not time x coin x 4", len(array))
    if times is None or len(times.instruments) != array.shape[1]:
        given = 0 if times is None else len(times.instruments)
        wanted = f"{array.shape[1]} coins, and {given} instruments with a start were given"
        raise SourceRefused("no_start", wanted, array.shape[0] * array.shape[1])
    rows: list[dict[str, Any]] = []
    wrong: list[int] = []
    step = TIMEFRAMES[times.timeframe]
    for k, (at, coin) in enumerate(np.ndindex(array.shape[:2])):
        try:
            row = _candle(array[at, coin], times.instruments[coin])
        except FrameError:
            wrong.append(k)
            continue
        rows.append(
            row | {"ts": times.start + (at + 1) * step, "instrument": times.instruments[coin].id, "source_row": k}
        )
    part.rows = array.shape[0] * array.shape[1]
    part.quarantined = {"bad_candle": wrong} if wrong else {}
    part.frame = _framed(part, rows, times.timeframe)
    part.facts = {"first_ts": part.frame["ts"].min(), "last_ts": part.frame["ts"].max(), "timeframe": times.timeframe}
    return part


def _candle(values: np.ndarray, instrument: Instrument) -> dict[str, int]:
    """High, low and close exactly in price units; the shortest decimals that name a float are what was meant."""
    high, low, close = (to_units(str(value), instrument.price_decimals) for value in values[:3])
    if not (0 < low <= close <= high) or not np.isfinite(values[3]) or values[3] < 0:
        raise FrameError("bad_frame", f"high {high}, low {low}, close {close}, quote volume {values[3]}")
    notional = int(Decimal(str(values[3])).scaleb(instrument.price_decimals + instrument.size_decimals))
    if notional > _LARGEST:
        raise FrameError("bad_number", f"quote volume {values[3]} does not fit 64 bits")
    return {"high": high, "low": low, "close": close, "notional": notional}


def _framed(part: Part, rows: list[dict[str, Any]], timeframe: str) -> pl.DataFrame:
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in CANDLES.items()]
    given = {
        name: dtype
        for name, dtype in _FULL.items()
        if name in ("ts", "instrument", "high", "low", "close", "notional", "source_row")
    }
    frame = pl.DataFrame(rows, schema=given)
    named = frame.with_columns(*(column for column in absent if column.meta.output_name() not in given)).with_columns(
        timeframe=pl.lit(timeframe), batch=pl.lit(part.key), source=pl.lit(part.source.name)
    )
    # a candle stamped at midnight is of the day that ends
    return named.with_columns(day=pl.from_epoch(pl.col("ts") - 1, time_unit="ns").dt.date().cast(pl.String)).select(
        pl.col(name).cast(dtype) for name, dtype in _FULL.items()
    )


def _publish(root: DataRoot, rows: pl.DataFrame) -> int:
    """Store one day of one instrument with what is stored of other sources; 1 if that changed anything."""
    path = root.partition(TABLE, rows["day"][0], rows["instrument"][0])
    before = commit.manifest(root, TABLE).get(str(path.relative_to(root.root)))
    fresh = conform(rows.drop("day", "instrument"), CANDLES, TABLE)
    if before is not None:
        fresh = pl.concat([commit.load(path), fresh])
    merged = fresh.sort("timeframe", "ts", "source", "source_row").unique(
        ["timeframe", "ts"], keep="last", maintain_order=True
    )
    return int(commit.publish(root, TABLE, path, merged, code_version(LEGACY_FILES)) != before)
