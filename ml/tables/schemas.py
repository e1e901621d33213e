"""Every table's columns: names, dtypes, units; the null reasons and the quarantine reasons.

Here: one schema per table, and `conform`, which a frame passes before it is stored.
Add here: a table or a column; the kernel's row layout follows `SAMPLE_COLUMNS` by itself.
Not here: where tables lie (`ml.core.paths`), what their values must satisfy (`ml.tables.rules` and the modules that
make them).

Time columns are int64 nanoseconds since 1970 UTC. Prices and sizes are int64 units of the instrument
(`ml.core.instruments`); `ml.storage.views` shows them as prices.
"""

from collections.abc import Sequence
from enum import IntEnum

import polars as pl

from ml.core.config import HORIZONS
from ml.core.errors import StoreError

LEVELS = 20
OFI_LEVELS = 10
SIDES = ("bid", "ask")
AGGRESSORS = ("buy", "sell")
BANDS = ("touch", "2bps", "5bps", "10bps", "20bps")

SAMPLE_COLUMNS: tuple[str, ...] = (
    "ts",
    *(f"{side}_{what}_{k}" for side in SIDES for what in ("price", "size") for k in range(1, LEVELS + 1)),
    *(f"ofi_{k}" for k in range(1, OFI_LEVELS + 1)),
    *(f"{flow}_{side}_{band}" for flow in ("added", "cancelled", "traded") for side in SIDES for band in BANDS),
    "n_updates",
    *(f"trade_count_{aggressor}" for aggressor in AGGRESSORS),
    "trade_price_high",
    "trade_price_low",
    *(f"{what}_{aggressor}" for what in ("trade_volume", "trade_notional") for aggressor in AGGRESSORS),
    "trade_largest",
    "trade_spread_notional",
    "last_trade_price",
    "book_age",
    "valid",
    "valid_run",
    "trades_run",
)
"""The sample row, in the kernel's order; every column is int64 there. Sizes are lots of the instrument's size unit;
`trade_largest` is the size of the largest trade, `trade_spread_notional` the sum of size x |2 price - bid - ask| with
the best prices just before each trade: twice what was paid beyond the mid;
`book_age` is ns; `valid` is 1 where the book is right at `ts`; `valid_run` counts the consecutive whole samples,
up to 3 600, over which it was right, this one included; `trades_run` counts those over which trades were captured."""

FROM_TRADES: tuple[str, ...] = (
    *(f"{flow}_{side}_{band}" for flow in ("cancelled", "traded") for side in SIDES for band in BANDS),
    *(name for name in SAMPLE_COLUMNS if name.startswith(("trade_", "last_trade"))),
)
"""Sample columns that nobody knows where trades were not captured: what left the book was cancelled or traded."""


class NullReason(IntEnum):
    """Why a value is null; the first that applies wins."""

    NONE = 0
    INVALID_BOOK = 1
    ONE_SIDED = 2
    WARM_UP = 3
    STALE = 4
    UNDEFINED = 5
    HORIZON_INVALID = 6
    DAY_END = 7
    CAPTURE_END = 8
    NO_CANDLE = 9
    NO_TRADES_CAPTURED = 10


END_REASONS = (
    "sequence_gap",
    "no_snapshot",
    "reconnect",
    "silent",
    "overflow",
    "restart",
    "crossed",
    "one_sided",
    "clock_back",
    "bad_frame",
    "off_grid",
    "capture_end",
    "no_trades_captured",
)

QUARANTINE_REASONS = {
    "empty": "the file holds nothing",
    "truncated": "the compressed file ends in the middle",
    "unknown_format": "an archive whose columns or compression are of no supported format",
    "checksum": "the file is not the one whose checksum its publisher gave",
    "bad_json": "the line is not a stamp and a JSON text, or not a JSON text",
    "unknown_frame": "no supported venue sends a frame of this shape",
    "wrong_venue": "the frame is of another venue or market than the file's other frames",
    "unlisted_instrument": "lobforge.toml does not list the instrument",
    "no_symbol": "a snapshot without symbol among several instruments, or an archive whose name has none",
    "bad_frame": "a field is missing or of the wrong type",
    "bad_number": "a price or size is not a number, is negative or does not fit",
    "off_grid": "a price or size needs more decimals than the instrument has",
    "price_zero": "a book level at price zero or below",
    "off_market": "a trade outside the market: a type other than MARKET, price 0 or size 0",
    "clock_back": "the exchange clock went back by more than 10 s",
    "clock_ahead": "the exchange clock ran ahead of ours by more than 60 s within one step",
    "out_of_order": "a row of an archive whose time does not fit those of the rows around it",
    "unequal_repeat": "an id that was seen before, with other content",
}

_I64 = pl.Int64()
_U8 = pl.UInt8()
_SUMS = ("volume", "notional", "n_trades", "buy_volume")
_CANDLE = dict.fromkeys(("ts", "open", "high", "low", "close", *_SUMS), _I64) | {"reason": pl.String()}
_INTERVALS = pl.Schema(
    {
        "start_ts": _I64,
        "end_ts": _I64,
        "start_arrival": _I64,
        "end_arrival": _I64,
        "from_id": _I64,
        "to_id": _I64,
        "end_reason": pl.String(),
    }
)

TABLES: dict[str, pl.Schema] = {
    "raw_frames": pl.Schema(
        {
            "arrival": _I64,
            "conn": pl.String(),
            "recv_ts": _I64,
            "kind": pl.String(),
            "payload": pl.Binary(),
            "source_sha256": pl.String(),
            "offset": _I64,
        }
    ),
    "archive_files": pl.Schema(
        {
            "source": pl.String(),
            "url": pl.String(),
            "path": pl.String(),
            "state": pl.String(),
            "asked_ts": _I64,
            "bytes": _I64,
            "sha256": pl.String(),
            "detail": pl.String(),
        }
    ),
    "captures": pl.Schema({"kind": _U8, "conn": pl.String(), "recv_ts": _I64, "payload": pl.Binary()}),
    "book_events": pl.Schema(
        {
            "arrival": _I64,
            "event_ts": _I64,
            "send_ts": _I64,
            "recv_ts": _I64,
            "first_id": _I64,
            "last_id": _I64,
            "prev_id": _I64,
            "side": pl.Int8(),
            "price": _I64,
            "size": _I64,
            "flags": _U8,
        }
    ),
    "trades": pl.Schema(
        {
            "arrival": _I64,
            "event_ts": _I64,
            "recv_ts": _I64,
            "trade_id": pl.String(),
            "side": pl.Int8(),
            "price": _I64,
            "size": _I64,
            "flags": _U8,
        }
    ),
    "validity": _INTERVALS,
    "trade_validity": _INTERVALS,
    "quarantine": pl.Schema(
        {"source": pl.String(), "offset": _I64, "reason": pl.String(), "detail": pl.String(), "line": pl.Binary()}
    ),
    "candles": pl.Schema(_CANDLE),
    "rest_candles": pl.Schema({"timeframe": pl.String()} | _CANDLE),
    "book_samples": pl.Schema(dict.fromkeys(SAMPLE_COLUMNS, _I64) | {"valid": pl.Boolean()}),
}


def label_schema(horizons: Sequence[int] = HORIZONS) -> pl.Schema:
    """Schema of `future_labels` for horizons in seconds; `net_*` are returns after costs, as fractions of the entry."""
    return pl.Schema(
        {"ts": _I64, "mid_units": pl.Float64(), "half_spread": pl.Float64()}
        | {
            f"{name}_{h}s": dtype
            for h in horizons
            for name, dtype in (
                ("label_end", _I64),
                ("movement", pl.Float64()),
                ("sigma", pl.Float64()),
                ("direction", pl.Int8()),
                ("net_long", pl.Float64()),
                ("net_short", pl.Float64()),
                ("net_direction", pl.Int8()),
                ("age_at_target", _I64),
                ("null_reason", _U8),
            )
        }
    )


def horizons_of(columns: Sequence[str]) -> tuple[int, ...]:
    """Label horizons (s) of a table by its columns."""
    found = (name.removeprefix("movement_") for name in columns if name.startswith("movement_"))
    return tuple(int(name.removesuffix("s")) for name in found)


TABLES["future_labels"] = label_schema()
"""With the default horizons; `lobforge.toml` may list others."""


def schema_of(table: str, columns: Sequence[str]) -> pl.Schema | None:
    """What a table with these columns must conform to; None if it has no fixed schema."""
    return label_schema(horizons_of(columns)) if table == "future_labels" else TABLES.get(table)


def feature_schema(names: Sequence[str], families: Sequence[str]) -> pl.Schema:
    """Schema of a feature table: time, the features as float64, one null reason per family."""
    return pl.Schema(
        {"ts": _I64} | {name: pl.Float64() for name in names} | {f"null_reason_{family}": _U8 for family in families}
    )


def conform(frame: pl.DataFrame, schema: pl.Schema, table: str) -> pl.DataFrame:
    """Return the frame with exactly the schema's columns, in order.

    Raises:
        StoreError: a column is missing, is extra or has another dtype; names the first.
    """
    for name, dtype in schema.items():
        if name not in frame.columns:
            raise StoreError(f"{table}: column {name} is missing. The step that makes the table must give it.")
        if frame.schema[name] != dtype:
            raise StoreError(f"{table}: column {name} is {frame.schema[name]}, not {dtype}. Cast it where it is made.")
    extra = [name for name in frame.columns if name not in schema]
    if extra:
        raise StoreError(
            f"{table}: {len(extra)} columns are not in its schema (first {extra[0]}). Add them to ml/tables/schemas.py."
        )
    return frame.select(schema.names())
