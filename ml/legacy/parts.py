"""One source of older samples as read: its rows in current columns, what was quarantined, and what proves it.

Here: the form that every generation is brought into, its checks and its proof.
Not here: reading a generation (`ml.legacy.batches`, `ml.legacy.offline`), joining sources (`ml.legacy.samples`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ml.legacy.clock import normalise
from ml.legacy.columns import FEATURES, HORIZONS, LABELS, QUOTED, ROWS
from ml.legacy.labelling import normal_codes
from ml.legacy.tables import fit
from ml.storage.commit import sha256_file

REASONS = {
    "object_array": "the array holds Python objects, which only a pickle can bring back",
    "bad_array": "the file is no array of numbers",
    "truncated": "the file ends in the middle",
    "bad_width": "the array has neither 110 nor 112 columns",
    "bad_json": "a JSON file cannot be read, or is of another shape",
    "bad_parquet": "the parquet file cannot be read",
    "unknown_columns": "the columns are of no known generation",
    "length_mismatch": "features, labels and metadata have different numbers of rows",
    "mixed_batch": "features, labels and metadata of different batches stand under one name",
    "no_timestamps": "no file of the batch says when its samples were taken",
    "no_timestamp": "the row has no time",
    "bad_timestamp": "the row's time is no time in any unit",
    "bad_symbol": "the row has no symbol, or none that can be a name",
    "no_data_id": "the pattern has no id",
    "no_start": "a bare candle array does not say when it starts; give the option",
    "bad_candle": "a candle's prices contradict each other, or do not fit the instrument's decimals",
}
SAME_PRICE = 1e-3
"""Relative difference below which two prices are one."""
_SYMBOL = r"^[A-Za-z0-9][A-Za-z0-9_:.-]{0,31}$"


@dataclass(frozen=True)
class Source:
    """Files that were written together, by role: an array and its JSON files, or one other file; `name` is a path."""

    kind: str
    name: str
    files: Mapping[str, Path]
    symbol: str | None = None

    def hashes(self) -> dict[str, str]:
        """Sha256 by role."""
        return {role: sha256_file(path) for role, path in sorted(self.files.items())}


@dataclass
class Part:
    """What one source holds.

    `rows` counts what the source has; each is either in `frame` or counted in `quarantined` by reason. `invalid` holds
    values that do not fit their column, by column and row; they are null in `frame`, like those of `not_finite`.
    `unread` names columns of the source that no table has.
    """

    source: Source
    key: str
    hashes: dict[str, str]
    rows: int = 0
    frame: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROWS))
    quarantined: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    invalid: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])
    not_finite: dict[str, int] = field(default_factory=lambda: {"nan": 0, "infinite": 0})
    unread: list[str] = field(default_factory=list[str])

    def take(self, raw: pl.DataFrame, name: str, dtype: pl.DataType, file: str = "") -> pl.Series:
        """A column in its type, null if the source has none; what does not fit is noted, under the file's name."""
        if name not in raw.columns:
            return pl.repeat(None, raw.height, dtype=dtype, eager=True).alias(name)
        fitted = fit(raw[name], dtype)
        self.not_finite["nan"] += fitted.nan
        self.not_finite["infinite"] += fitted.infinite
        self.reject(f"{file}.{name}" if file else name, raw[name], fitted.invalid)
        return fitted.values

    def reject(self, column: str, values: pl.Series, rows: Iterable[int]) -> None:
        """Note values that do not fit their column."""
        rejected = {row: str(values[row]) for row in rows}
        if rejected:
            self.invalid.setdefault(column, {}).update(rejected)


def opened(source: Source) -> Part:
    """A part of which nothing is known yet but its hashes; its key is hex sha256, 16 digits, of name and content."""
    hashes = source.hashes()
    return Part(source, hashlib.sha256(json.dumps([source.name, hashes]).encode()).hexdigest()[:16], hashes)


def finish(part: Part, raw: pl.DataFrame, generation: str, venue: str) -> Part:
    """Bring raw rows into the columns of `ROWS`; rows without time or symbol are quarantined.

    Args:
        part: gets the frame, what was quarantined and the facts.
        raw: one row per sample: `symbol`, `timestamp` (any unit), features by name, and any of `QUOTED` and `LABELS`.
        generation: which form the files have.
        venue: of the instruments, for example `bybit-linear`.
    """
    part.rows = raw.height
    times = normalise(raw["timestamp"])
    symbol = part.take(raw, "symbol", pl.String())
    reason = times["reason"].fill_null(symbols_named(symbol))
    labels = pl.DataFrame([part.take(raw, name, pl.Float64()) for name in LABELS])
    stored, part.facts["label_codes"] = normal_codes(labels)
    for h in HORIZONS:
        given = labels[f"future_direction_{h}s"]
        unread = given.is_not_null() & stored[f"legacy_direction_{h}s"].is_null()
        part.reject(f"future_direction_{h}s", given, unread.arg_true())
    quoted = {name: part.take(raw, name, dtype) for name, dtype in QUOTED.items()}
    price = quoted["current_mid_price"]
    part.reject("current_mid_price", price, (price <= 0).arg_true())
    quoted["current_mid_price"] = pl.select(pl.when(price > 0).then(price)).to_series()
    part.unread += sorted(set(raw.columns) - {"symbol", "timestamp", *FEATURES, *QUOTED, *LABELS})
    frame = pl.DataFrame(
        {
            "ts": times["ts"],
            "instrument": venue + "." + symbol,
            **{name: part.take(raw, name, pl.Float64()) for name in FEATURES},
            **quoted,
            **stored,
            "generation": pl.repeat(generation, raw.height, eager=True),
            "batch": pl.repeat(part.key, raw.height, eager=True),
            "source": pl.repeat(part.source.name, raw.height, eager=True),
            "source_row": pl.int_range(raw.height, eager=True),
        }
    )
    part.quarantined = {
        name: (reason == name).arg_true().to_list() for name in reason.drop_nulls().unique(maintain_order=True)
    }
    part.frame, part.facts["scaled"] = judge_scale(frame.filter(reason.is_null()))
    part.facts |= ranges(part.frame)
    return part


def refuse(part: Part, reason: str, detail: str, rows: int) -> Part:
    """Quarantine a whole source."""
    part.rows = rows
    part.quarantined = {reason: list(range(rows))}
    part.detail = detail
    part.invalid = {}
    return part


def proof(part: Part) -> dict[str, Any]:
    """What is kept about a source: files and hashes, rows, ranges, verdicts; the same for the same bytes."""
    return {
        "source": part.source.name,
        "kind": part.source.kind,
        "sha256": part.hashes,
        "rows": part.rows,
        "rows_read": part.frame.height,
        "quarantined": {reason: len(rows) for reason, rows in part.quarantined.items()},
        "detail": part.detail,
        "invalid_values": [
            {"column": name, "values": len(values), "first_row": min(values), "first": values[min(values)]}
            for name, values in sorted(part.invalid.items())
        ],
        "not_finite": part.not_finite,
        "unread_columns": part.unread,
        "days": days(part.frame),
        **part.facts,
    }


def days(frame: pl.DataFrame) -> list[str]:
    """UTC dates of the rows, ascending."""
    return [day.isoformat() for day in frame.select(utc_date().unique().sort()).to_series()]


def utc_date() -> pl.Expr:
    """The UTC date of column ts; what was taken at midnight is of the day that begins."""
    return pl.from_epoch(pl.col("ts"), time_unit="ns").dt.date()


def symbols_named(symbols: pl.Series) -> pl.Series:
    """`bad_symbol` where a symbol cannot name an instrument and a file, else null."""
    named = symbols.str.contains(_SYMBOL).fill_null(value=False)
    return pl.select(pl.when(~named).then(pl.lit("bad_symbol"))).to_series()


def judge_scale(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Whether the features were scaled, an instrument of a source at a time: feature `mid_price` against the price."""
    error = (pl.col("mid_price") / pl.col("current_mid_price") - 1).abs()
    found = frame.group_by("instrument", maintain_order=True).agg(
        error=error.median(), compared=error.count(), features_scaled=error.median() >= SAME_PRICE
    )
    verdicts = {name: {"scaled": scaled, "median_error": e, "compared": n} for name, e, n, scaled in found.iter_rows()}
    joined = frame.join(
        found.select("instrument", "features_scaled"), on="instrument", how="left", maintain_order="left"
    )
    return joined.select(pl.col(name).cast(dtype) for name, dtype in ROWS.items()), verdicts


def ranges(frame: pl.DataFrame) -> dict[str, Any]:
    """First and last time, and least and largest value of the price and of each feature that is there."""
    values = frame.select("current_mid_price", *FEATURES)
    least = values.min().row(0, named=True)
    largest = values.max().row(0, named=True)
    ranges = {name: [low, largest[name]] for name, low in least.items() if low is not None}
    return {"first_ts": frame["ts"].min(), "last_ts": frame["ts"].max(), "ranges": ranges}
