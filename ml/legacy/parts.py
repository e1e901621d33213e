"""One source of older samples as read: its rows in current columns, what was set aside, and what proves it.

Here: the form that every generation is brought into, its checks and its proof.
Not here: reading a generation (`ml.legacy.batches`, `ml.legacy.offline`), joining sources (`ml.legacy.samples`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ml.legacy.clock import normalise
from ml.legacy.columns import FEATURES, QUOTED, ROWS
from ml.legacy.measures import finite, judge_scale, ranges
from ml.legacy.stored_labels import normal_codes
from ml.legacy.tables import typed
from ml.store import sha256_file

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

    `rows` counts what the source has; each is either in `frame` or counted in `set_aside` by reason.
    """

    source: Source
    key: str
    hashes: dict[str, str]
    rows: int = 0
    frame: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ROWS))
    set_aside: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


def opened(source: Source) -> Part:
    """A part of which nothing is known yet but its hashes; its key is hex sha256, 16 digits, of name and content."""
    hashes = source.hashes()
    return Part(source, hashlib.sha256(json.dumps([source.name, hashes]).encode()).hexdigest()[:16], hashes)


def finish(part: Part, raw: pl.DataFrame, generation: str, venue: str) -> Part:
    """Bring raw rows into the columns of `ROWS`; rows without time or symbol are set aside.

    Args:
        part: gets the frame, what was set aside and the facts.
        raw: a row a sample, columns `symbol`, `timestamp` (any unit), features by name, and any of `QUOTED`, `STORED`.
        generation: which form the files have.
        venue: of the instruments, for example `bybit-linear`.
    """
    part.rows = raw.height
    times = normalise(raw["timestamp"])
    reason = times["reason"].fill_null(symbols_named(raw["symbol"]))
    features, part.facts["not_finite"] = finite(raw)
    stored, part.facts["label_codes"] = normal_codes(raw)
    frame = pl.DataFrame(
        {
            "ts": times["ts"],
            "instrument": venue + "." + raw["symbol"].cast(pl.String),
            **{name: features[name] for name in FEATURES},
            **{name: typed(raw, name, dtype) for name, dtype in QUOTED.items()},
            **stored,
            "generation": pl.repeat(generation, raw.height, eager=True),
            "batch": pl.repeat(part.key, raw.height, eager=True),
            "source": pl.repeat(part.source.name, raw.height, eager=True),
            "source_row": pl.int_range(raw.height, eager=True),
        }
    )
    part.set_aside = {
        name: (reason == name).arg_true().to_list() for name in reason.drop_nulls().unique(maintain_order=True)
    }
    frame = frame.with_columns(
        pl.when((pl.col("current_mid_price") > 0) & pl.col("current_mid_price").is_finite()).then("current_mid_price")
    ).filter(reason.is_null())
    part.frame, part.facts["scaled"] = judge_scale(frame)
    part.facts |= ranges(part.frame)
    return part


def refuse(part: Part, reason: str, detail: str, rows: int) -> Part:
    """Set a whole source aside."""
    part.rows, part.set_aside, part.detail = rows, {reason: list(range(rows))}, detail
    return part


def proof(part: Part) -> dict[str, Any]:
    """What is kept about a source: files and hashes, rows, ranges, verdicts; the same for the same bytes."""
    return {
        "source": part.source.name,
        "kind": part.source.kind,
        "sha256": part.hashes,
        "rows": part.rows,
        "rows_read": part.frame.height,
        "set_aside": {reason: len(rows) for reason, rows in part.set_aside.items()},
        "detail": part.detail,
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
    named = symbols.cast(pl.String).str.contains(_SYMBOL).fill_null(value=False)
    return pl.select(pl.when(~named).then(pl.lit("bad_symbol"))).to_series()
