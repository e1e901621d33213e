"""The tables that do not depend on a feature set: specs with columns, units and rules; null and quarantine reasons.

Here: one spec per table.
Add here: a table or a column; the kernel's row layout follows `SAMPLE_COLUMNS` by itself.
Not here: where tables lie (`ml.core.paths`), the tables of feature sets (beside the sets), all specs (`ml.catalog`).

Time columns are int64 nanoseconds since 1970 UTC. Prices and sizes are int64 units of the instrument
(`ml.core.instruments`); `ml.catalog.views` shows them as prices.
"""

from collections.abc import Sequence
from enum import IntEnum

import polars as pl

from ml.core.config import HORIZONS
from ml.core.time import MINUTE, SECOND
from ml.tables.rules import Rule, steps_of
from ml.tables.spec import F64, I64, TEXT, U8, Column, Partitioning, TableSpec

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
    "out_of_order": "a row of an archive whose time or ids do not fit those of the rows around it",
    "unequal_repeat": "an id that was seen before, with other content",
}

NS = "ns UTC"
PRICE = "10^-price_decimals of the instrument"
SIZE = "10^-size_decimals of the instrument"
NOTIONAL = "10^-(price_decimals + size_decimals) of the instrument"
TS = Column("ts", I64, NS, "End of the second that the row covers.")
_ARRIVAL = Column("arrival", I64, "1", "Position of the frame within the day, in order of arrival.")
_EVENT_TS = Column("event_ts", I64, NS, "Time of the matching engine where the venue gives it, else its send time.")
_RECV_TS = Column("recv_ts", I64, NS, "When the frame was received, by the clock of the capturing machine.")
_FLAGS = {
    "book_events": "Bits: 1 snapshot, 2 clear, 4 last of message, 8 checkpoint, 16 late, 32 time only, 64 snapshot "
    "without ids, 128 trades may be missing before it.",
    "trades": "Bits: 16 late, 128 trades are missing before it.",
}
_ASCEND = Rule("arrivals_ascend", pl.col("arrival").diff() < 0, True, "Rows are in the order of their arrival.")
_INTERVALS_ASCEND = Rule(
    "intervals_ascend", pl.col("start_ts") < pl.col("end_ts").shift(1), True, "Intervals do not overlap."
)


def _intervals(known: str) -> tuple[Column, ...]:
    return (
        Column("start_ts", I64, NS, f"From when on {known}."),
        Column("end_ts", I64, NS, "The first instant at which this was no longer so: [start_ts, end_ts)."),
        Column("start_arrival", I64, "1", "Arrival of the frame that opened the interval."),
        Column("end_arrival", I64, "1", "Arrival of the frame that ended it."),
        Column("from_id", I64, "", "The last id before the break, where ids are counted."),
        Column("to_id", I64, "", "The first id after the break, where ids are counted."),
        Column("end_reason", TEXT, "", f"Why the interval ended: {', '.join(END_REASONS)}."),
    )


CANDLE = (
    Column("ts", I64, NS, "Close of the candle: it covers the time before it, and no trade at or after it."),
    Column("open", I64, PRICE, "First price; null where nobody traded."),
    Column("high", I64, PRICE, "Highest price; null where nobody traded."),
    Column("low", I64, PRICE, "Lowest price; null where nobody traded."),
    Column("close", I64, PRICE, "Last price; null where nobody traded."),
    Column("volume", I64, SIZE, "Traded size; 0 where nobody traded, null where the candle is not known."),
    Column("notional", I64, NOTIONAL, "Sum of price x size."),
    Column("n_trades", I64, "1", "Number of trades."),
    Column("buy_volume", I64, SIZE, "Size of the trades whose aggressor bought."),
    Column("reason", TEXT, "", "Why the candle is not known; null where it is."),
)

PREDICTION = (
    Column("ts", I64, NS, "End of the second that was answered."),
    Column("recv_ts", I64, NS, "When the frame was received that closed it: recv_ts - ts is the age of the data."),
    Column("experiment", TEXT, "", "Whose models were asked."),
    Column("model", TEXT, "", "Id of the model; null where nothing was promoted."),
    Column("version", TEXT, "", "Its number in the registry."),
    Column("arm", TEXT, "", "champion, or beside: the challenger, or the previous champion of a watched one."),
    Column("stage", TEXT, "", "alone, shadow, split or watch: the stage of the model beside the champion."),
    Column("routed", pl.Boolean(), "", "Whether the second was this model's to serve."),
    Column("served", pl.Boolean(), "", "Whether this answer was given out; in no row where the second was withheld."),
    Column("horizon", I64, "s", "How far ahead the answer looks."),
    *(Column(f"p_{name}", F64, "1", f"Probability of {name}.") for name in ("down", "neutral", "up")),
    Column("predicted", pl.Int8(), "", "Class: 0 down, 1 neutral, 2 up; null where the model gave none."),
    Column("reason", TEXT, "", "Why the model gave no answer: a null reason, model_error, no_answer or no_model."),
    Column("processor_ns", I64, "ns", "Processor time of the answer; null where the model was not asked."),
)
"""One model's answer to one second."""


def _sample_column(name: str) -> Column:
    """Unit and description of a sample's column, by its name."""
    fixed = {
        "ts": (NS, "End of the second: the sample covers [ts - 1 s, ts)."),
        "n_updates": ("1", "Level changes in the second; null where the book comes from snapshots alone."),
        "trade_price_high": (PRICE, "Highest price traded in the second."),
        "trade_price_low": (PRICE, "Lowest price traded in the second."),
        "trade_largest": (SIZE, "Size of the largest trade of the second."),
        "trade_spread_notional": (
            NOTIONAL,
            "Sum of size x |2 price - bid - ask| with the best prices just before each trade: twice what was paid "
            "beyond the mid.",
        ),
        "last_trade_price": (PRICE, "Price of the last trade so far."),
        "book_age": ("ns", "Time since the last book message."),
        "valid": ("", "Whether the book is known to be right at ts."),
        "valid_run": ("s", "Whole samples in a row, this one included, over which the book was known; 3 600 at most."),
        "trades_run": ("s", "Whole samples in a row, this one included, over which trades were captured."),
    }
    if name in fixed:
        return Column(name, pl.Boolean() if name == "valid" else I64, *fixed[name])
    parts = name.split("_")
    if name.startswith("ofi_"):
        return Column(name, I64, SIZE, f"Order-flow imbalance of level {parts[1]}, summed over the second.")
    if parts[0] in SIDES:
        unit = PRICE if parts[1] == "price" else SIZE
        return Column(name, I64, unit, f"{parts[1].capitalize()} of {parts[0]} level {parts[2]}; null beyond the book.")
    if parts[0] == "trade":
        what, unit = {
            "count": ("Number of trades", "1"),
            "volume": ("Traded size", SIZE),
            "notional": ("Sum of price x size", NOTIONAL),
        }[parts[1]]
        bought = "bought" if parts[2] == "buy" else "sold"
        return Column(name, I64, unit, f"{what} of the second whose aggressor {bought}.")
    flow, side, band = parts
    where = "at the best price" if band == "touch" else f"within {band.removesuffix('bps')} bps of the mid"
    return Column(name, I64, SIZE, f"Size {flow} in the second on the {side} side {where}.")


def label_columns(horizons: Sequence[int] = HORIZONS) -> tuple[Column, ...]:
    """Columns of `future_labels` for horizons in seconds."""
    return (
        TS,
        Column("mid_units", F64, PRICE, "Mid price at ts; null where the book is not known."),
        Column("half_spread", F64, "fraction", "(ask - bid) / (ask + bid) at ts."),
        *(column for h in horizons for column in _labels(h)),
    )


def _labels(h: int) -> tuple[Column, ...]:
    cost = "of the entry, after fees, spread and latency"
    return (
        Column(f"label_end_{h}s", I64, NS, f"ts + {h} s: when the label is known."),
        Column(f"movement_{h}s", F64, "fraction", f"Change of the mid price over {h} s."),
        Column(f"sigma_{h}s", F64, "fraction", f"Volatility of the mid price before ts, scaled to {h} s."),
        Column(f"direction_{h}s", pl.Int8(), "", f"Movement over {h} s by 10 bps: 0 down, 1 neutral, 2 up."),
        Column(f"net_long_{h}s", F64, "fraction", f"Return of buying and selling {h} s later, {cost}."),
        Column(f"net_short_{h}s", F64, "fraction", f"Return of selling and buying back {h} s later, {cost}."),
        Column(f"net_direction_{h}s", pl.Int8(), "", "Which of both returns pays: 0 short, 1 neither, 2 long."),
        Column(f"age_at_target_{h}s", I64, "ns", f"Age of the book at ts + {h} s."),
        null_reason(f"null_reason_{h}s", f"the labels of {h} s are"),
    )


def null_reason(name: str, of: str) -> Column:
    """The column that says why others are null."""
    return Column(name, U8, "", f"Why {of} null: a code of NullReason, 0 where none is.")


def label_schema(horizons: Sequence[int] = HORIZONS) -> pl.Schema:
    """Schema of `future_labels` for horizons in seconds; `net_*` are returns after costs, as fractions of the entry."""
    return pl.Schema({column.name: column.dtype for column in label_columns(horizons)})


def horizons_of(columns: Sequence[str]) -> tuple[int, ...]:
    """Label horizons (s) of a table by its columns."""
    found = (name.removeprefix("movement_") for name in columns if name.startswith("movement_"))
    return tuple(int(name.removesuffix("s")) for name in found)


def feature_columns(features: Sequence[Column], families: Sequence[str]) -> tuple[Column, ...]:
    """Columns of a feature table: time, the features, one null reason per family."""
    return (TS, *features, *(null_reason(f"null_reason_{family}", f"features of {family} are") for family in families))


def _unknown_inside(frame: pl.DataFrame) -> int:
    """Unknown minutes between the first and the last known one, if they are more than 5 % of them."""
    known = frame["reason"].is_null().arg_true()
    if known.is_empty():
        return 0
    span = int(known[-1] - known[0] + 1)
    return span - known.len() if span - known.len() > 0.05 * span else 0


SPECS = (
    TableSpec(
        "archive_files",
        "a file that a source should have of the date, and what became of it",
        (
            Column("source", TEXT, "", "The source's name in lobforge.toml."),
            Column("url", TEXT, "", "Address of the file."),
            Column("path", TEXT, "", "Its place among the captures."),
            Column("state", TEXT, "", "fetched, not_published, or why it was quarantined (checksum)."),
            Column("asked_ts", I64, NS, "When it was requested."),
            Column("bytes", I64, "bytes", "Size of the file."),
            Column("sha256", TEXT, "", "Hash of its content."),
            Column("detail", TEXT, "", "More about the state."),
        ),
        clock=None,
        rules=(
            Rule("published", pl.col("state") == "not_published", False, "The publisher has every file."),
            Rule("checksums_agree", pl.col("state") == "checksum", False, "Every file is the one that was published."),
        ),
    ),
    TableSpec(
        "captures",
        "a frame as received from a connection of `lobforge capture`",
        (
            Column("kind", U8, "", "What the record is: a frame, a snapshot, or a note of the recorder."),
            Column("conn", TEXT, "", "The connection."),
            _RECV_TS,
            Column("payload", pl.Binary(), "", "The bytes as received."),
        ),
        Partitioning.FILES,
        clock="recv_ts",
    ),
    TableSpec(
        "prediction_log",
        "what one model said of one second as `lobforge capture --mode FULL` served it",
        (Column("instrument", TEXT, "", "Id of the instrument."), *PREDICTION),
        Partitioning.FILES,
    ),
    TableSpec(
        "raw_frames",
        "a frame as received, with file hash and offset; two checkpoint rows open and close the day",
        (
            _ARRIVAL,
            Column("conn", TEXT, "", "The connection that the frame came over."),
            _RECV_TS,
            Column("kind", TEXT, "", "ws, snapshot, checkpoint, or a note of the recorder such as loss."),
            Column("payload", pl.Binary(), "", "The bytes as received."),
            Column("source_sha256", TEXT, "", "Hash of the capture file."),
            Column("offset", I64, "1", "Where in that file the frame stands."),
        ),
        sources=("captures",),
        clock="recv_ts",
    ),
    TableSpec(
        "book_events",
        "a level change that was applied",
        (
            _ARRIVAL,
            _EVENT_TS,
            Column("send_ts", I64, NS, "When the venue sent it, where it says so."),
            _RECV_TS,
            Column("first_id", I64, "", "First update id of the message."),
            Column("last_id", I64, "", "Last update id of the message."),
            Column("prev_id", I64, "", "Last update id of the message before it, where the venue says so."),
            Column("side", pl.Int8(), "", "1 bid, -1 ask."),
            Column("price", I64, PRICE, "Price of the level."),
            Column("size", I64, SIZE, "Size that now rests there; 0 removes the level."),
            Column("flags", U8, "", _FLAGS["book_events"]),
        ),
        sources=("raw_frames",),
        clock="event_ts",
        rules=(_ASCEND, Rule("sizes_not_negative", pl.col("size") < 0, True, "No level has a negative size.")),
    ),
    TableSpec(
        "trades",
        "a trade inside the market",
        (
            _ARRIVAL,
            _EVENT_TS,
            _RECV_TS,
            Column("trade_id", TEXT, "", "The venue's id of the trade."),
            Column("side", pl.Int8(), "", "The aggressor: 1 buy, -1 sell."),
            Column("price", I64, PRICE, "Price."),
            Column("size", I64, SIZE, "Size."),
            Column("flags", U8, "", _FLAGS["trades"]),
        ),
        sources=("raw_frames",),
        clock="event_ts",
        rules=(
            Rule(
                "trades_positive",
                (pl.col("price") <= 0) | (pl.col("size") <= 0),
                True,
                "Every trade has a price and a size.",
            ),
            _ASCEND,
        ),
    ),
    TableSpec(
        "validity",
        "an interval in which the book was known, and why it ended",
        _intervals("the book was known"),
        sources=("raw_frames",),
        clock="start_ts",
        rules=(
            _INTERVALS_ASCEND,
            Rule(
                "no_gap",
                pl.col("end_reason").is_not_null() & (pl.col("end_reason") != "capture_end"),
                False,
                "The book was known without a break.",
            ),
        ),
    ),
    TableSpec(
        "trade_validity",
        "an interval in which trades were captured, and why it ended",
        _intervals("trades were captured"),
        sources=("raw_frames",),
        clock="start_ts",
        rules=(
            _INTERVALS_ASCEND,
            Rule("trades_captured", pl.col("end_reason") == "no_trades_captured", False, "Trades were captured."),
        ),
    ),
    TableSpec(
        "quarantine",
        "a frame or trade that was quarantined",
        (
            Column("source", TEXT, "", "Hash of the capture file."),
            Column("offset", I64, "1", "Where in that file it stands."),
            Column("reason", TEXT, "", f"Why: {', '.join(QUARANTINE_REASONS)}."),
            Column("detail", TEXT, "", "What was wrong, in words."),
            Column("line", pl.Binary(), "", "The bytes themselves."),
        ),
        sources=("raw_frames",),
        clock=None,
        rules=(Rule("nothing_quarantined", lambda frame: frame.height, False, "No frame had to be quarantined."),),
    ),
    TableSpec(
        "candles",
        "one minute of trades, or why it is not known",
        CANDLE,
        sources=("trades", "trade_validity"),
        rules=(
            Rule("one_row_per_minute", steps_of(MINUTE), True, "Candles follow each other by exactly one minute."),
            Rule(
                "prices_in_order",
                (pl.min_horizontal("open", "close") < pl.col("low"))
                | (pl.max_horizontal("open", "close") > pl.col("high")),
                True,
                "Open and close lie between low and high.",
            ),
            Rule(
                "known_or_reason",
                (pl.col("reason").is_null() == pl.col("volume").is_null())
                | (pl.col("open").is_null() != (pl.col("n_trades").fill_null(0) == 0)),
                True,
                "Every candle is known or has a reason, and has prices exactly if somebody traded.",
            ),
            Rule(
                "whole_inside",
                _unknown_inside,
                False,
                "At least 95 % of the minutes between the first and the last known one are known.",
            ),
        ),
    ),
    TableSpec(
        "rest_candles",
        "a candle that the venue serves, or why there is none; made by `lobforge candles`",
        (Column("timeframe", TEXT, "", "Length of the candle: 1m, 5m, 15m, 1h, ..."), *CANDLE),
    ),
    TableSpec(
        "book_samples",
        "one second: 20 levels per side, what was added, cancelled and traded, trades per aggressor, and the book's "
        "age and validity",
        tuple(_sample_column(name) for name in SAMPLE_COLUMNS),
        sources=("raw_frames", "book_events", "trades", "validity"),
        rules=(
            Rule("one_row_per_second", steps_of(SECOND), True, "Samples follow each other by exactly one second."),
            Rule(
                "bids_below_asks",
                (pl.col("bid_price_1") > pl.col("ask_price_1")) & pl.col("valid"),
                False,
                "The best bid is not above the best ask in more than 0.1 % of the valid samples.",
                tolerated=0.001,
            ),
            Rule(
                "book_is_known",
                ~pl.col("valid"),
                False,
                "The book is known in at least 95 % of the samples.",
                tolerated=0.05,
            ),
        ),
    ),
    TableSpec(
        "future_labels",
        "what the mid price did after a sample, by horizon (10, 30 and 60 s unless `lobforge.toml` says otherwise)",
        label_columns(),
        sources=("raw_frames", "book_samples"),
        by_horizon=label_columns,
        rules=(
            Rule("one_row_per_second", steps_of(SECOND), True, "Labels follow each other by exactly one second."),
            Rule(
                "labelled",
                pl.col(f"movement_{HORIZONS[0]}s").is_null(),
                False,
                "At least 80 % of the rows have a label at the primary horizon.",
                tolerated=0.2,
            ),
        ),
    ),
    TableSpec(
        "datasets",
        "a row of a query of the feature store that was kept, in a file named by what it was made of",
        (),
        Partitioning.FILES,
        sources=("training_features", "legacy_samples"),
        is_open=True,
    ),
)
SCHEMAS: dict[str, pl.Schema] = {spec.name: spec.schema for spec in SPECS if not spec.is_open}
"""Their schemas by name; `future_labels` with the default horizons."""
