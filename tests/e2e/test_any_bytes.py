"""No sequence of bytes crashes a parser, nor is lost without a row of the quarantine."""

import json
import random
from itertools import islice
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.errors import CaptureError, InstrumentError
from ml.core.time import date_of
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.replay import inspect
from ml.market.decode.events import RawFrame
from ml.market.files import captures
from ml.market.files.capture_sequence import link
from ml.market.files.frame_routing import NO_FRAME, Line, described
from ml.market.files.index import scan
from ml.market.files.lines import lines
from ml.market.venues.dialects import MOVING, dialect
from tests.support.days import decode_day, raw_day
from tests.support.scenario import diff, snapshot, trade
from tests.unit.market.bulk.test_scanner import documents, text

T = 1_741_000_000_000
OKX = {
    "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"},
    "action": "snapshot",
    "data": [
        {"asks": [["101", "1", "0", "1"]], "bids": [["99", "1", "0", "1"]], "ts": f"{T}", "seqId": 5, "prevSeqId": -1}
    ],
}
OKX_TRADE = {"instId": "BTC-USDT-SWAP", "tradeId": "1", "px": "100", "sz": "1", "side": "buy", "ts": f"{T}"}
BYBIT_TRADE = {"T": T, "s": "BTCUSDT", "S": "Buy", "v": "0.1", "p": "100", "i": "a-b"}
FRAMES = [
    diff(2, 1, T, [("99.0", "1.000")]),
    snapshot(2, T),
    diff(3, 2, T, (), [("101.0", "0")]),
    trade(1, T),
    OKX,
    OKX | {"action": "update"},
    {"arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"}, "data": [OKX_TRADE]},
    {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": T, "data": [BYBIT_TRADE]},
    {"topic": "orderbook.1.BTCUSDT", "type": "snapshot", "ts": T, "data": {"b": [["1", "1"]], "a": [], "u": 1}},
    {"loss": "overflow", "symbol": "BTCUSDT"},
    {"result": None, "id": 1},
    {"archive": "tardis-trades", "symbol": "BTCUSDT", "rows": ["binance,BTCUSDT,1,1,1,buy,1,1"]},
]
"""One frame of each shape that a parser knows."""
NUMBERS = [
    b"9" * 19,
    b"9" * 400,
    b"-1",
    b"1e400",
    b"0.5",
    b"null",
    b'"x"',
    b"[]",
    b"{}",
    b"true",
    b"-9223372036854775809",
]
TARDIS = "exchange,symbol,timestamp,local_timestamp,"
ARCHIVES = {
    "tardis_l2.csv": TARDIS
    + "is_snapshot,side,price,amount\n"
    + "".join(f"binance-futures,BTCUSDT,{T}{k}00,{T}{k}00,{str(k < 2).lower()},bid,9{k}.5,1\n" for k in range(4)),
    "tardis_trades.csv": TARDIS + f"id,side,price,amount\nbybit,BTCUSDT,{T}000,{T}000,7,buy,100,1\n",
    "tardis_five.csv": TARDIS + "asks[0].price,asks[0].amount,bids[0].price,bids[0].amount\n"
    f"okex,BTC-USDT,{T}000,{T}000,2,1,1,1\n",
    "BTCUSDT-trades-2025-03-03.csv": f"1,100.5,2,201,{T},true\n2,100.6,1,100.6,{T + 5},false\n",
    "BTCUSDT-aggTrades-2025-03-03.csv": f"1,100.5,2,1,1,{T},true,true\n",
    "BTCUSDT2025-03-03.csv": "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    f"foreignNotional\n{T // 1000}.5,BTCUSDT,Buy,1,100,PlusTick,a-b,1,1,1\n",
    "BTCUSDT_2025-03-03.csv": f"id,timestamp,price,volume,side\n1,{T},100,1,buy\n2,{T - 5},100,1,sell\n",
    "btcusd_20180424_l2.csv": "side,price,size,time\nbuy,99.5,1.0,2018-04-24T03:52:17.202Z\n"
    "sell,100.5,0.11244000000000001,2018-04-24T03:52:17.300Z\n",
    "linear/2025-03-03_BTCUSDT_ob200.data": "".join(
        json.dumps(
            {
                "topic": "orderbook.200.BTCUSDT",
                "type": kind,
                "ts": T + k,
                "cts": T + k,
                "data": {"s": "BTCUSDT", "b": [["99.5", "1"]], "a": [["100.5", "1"]], "u": 5 + k, "seq": k},
            }
        )
        + "\n"
        for k, kind in enumerate(["snapshot", "delta", "delta"])
    ),
}
"""A few rows of each archive, under a name that it may have."""


def whole(path: Path) -> None:
    """Take a file through all that reads it; every line of it must be a frame, an answer or a row of the quarantine."""
    index, quarantined = scan(path)
    frames = 0
    passed_over = 0
    for item in captures.read(path):
        if isinstance(item, RawFrame) and not isinstance(read := described(item), Line):
            frames = frames + (read.kind != NO_FRAME)
            passed_over = passed_over + (read.kind == NO_FRAME)
    nameless = sum(line.error.reason == "no_symbol" for line in quarantined)
    assert sum(span.frames for span in index.instruments.values()) + nameless == frames
    assert sum(index.not_read.values()) >= passed_over
    try:
        report = inspect([path])
    except CaptureError:
        return
    for instrument_id, said in report["instruments"].items():
        if said["first_event_ts"]:
            decoded_whole(path, instrument_id, date_of(said["first_event_ts"]))


def decoded_whole(path: Path, instrument_id: str, date: str) -> None:
    """Each frame that holds book or trades has events, or stands in the quarantine with its bytes."""
    chain = link([path], lambda path: scan(path)[0])
    try:
        instrument = infer_instrument(chain, instrument_id)
    except InstrumentError:
        return
    raw = raw_day(chain, instrument, date)
    decoded = decode_day(raw, instrument, date)
    told = {*decoded.book_events["arrival"].to_list(), *decoded.trades["arrival"].to_list()}
    refused = set(decoded.quarantine["offset"].to_list())
    for arrival, offset, kind, payload in (
        raw.filter(pl.col("kind") != "checkpoint").select("arrival", "offset", "kind", "payload").iter_rows()
    ):
        assert arrival in told or offset in refused or kind != "ws" or _silent(payload, instrument.venue)


def _silent(payload: bytes, venue: str) -> bool:
    """A frame of which no event is due: neither book nor trade, or a snapshot that waits for the next diff."""
    doc = orjson.loads(payload)
    return "archive" in doc or dialect(venue).kind(doc) not in MOVING


def changed(data: bytes, seed: int, count: int) -> bytes:
    """Some bytes taken out, changed or put in, or a value replaced by one of another kind."""
    rng = random.Random(seed)
    text_ = bytearray(data)
    for _ in range(count):
        k = rng.randrange(len(text_) + 1)
        if rng.random() < 0.5:
            text_[k : k + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            continue
        end = min((n for n in (text_.find(mark, k) for mark in b",]}\n") if n >= 0), default=k)
        start = max(text_.rfind(mark, 0, k) for mark in b":,[\n") + 1
        text_[start:end] = rng.choice(NUMBERS)
    return bytes(text_)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([".gz", ".zst", ".zip", ".csv", ".log", ".parquet", ".data"]))
def test_any_bytes_as_any_file(tmp_path_factory, data, suffix):
    """Under any name that a capture may have, with and without the first bytes of its compression."""
    magic = {".gz": b"\x1f\x8b\x08\0", ".zst": b"\x28\xb5\x2f\xfd", ".zip": b"PK\x03\x04", ".parquet": b"PAR1"}
    for head in {b"", magic.get(suffix, b"")}:
        path = tmp_path_factory.mktemp("any") / f"a{suffix}"
        path.write_bytes(head + data)
        whole(path)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from(FRAMES), documents(odd=3).map(lambda given_: given_[1])), min_size=1, max_size=6
    ),
    st.sampled_from(["", "wss://x/linear", "binance-usdm x", "okx-swap", "bybit-linear x", "nowhere"]),
    st.integers(0, 2**32),
    st.integers(0, 4),
)
def test_changed_frames_of_all_venues(tmp_path_factory, docs, conn, seed, count):
    """As a collector stamps them, as one wraps them, and as our own capture seals them."""
    folder = tmp_path_factory.mktemp("frames")
    payloads = [changed(text(doc), seed + k, count) for k, doc in enumerate(docs)]
    stamped = b"".join(b"%d %s\n" % ((T + k) * 10**6, payload) for k, payload in enumerate(payloads))
    (folder / "a.log").write_bytes(changed(stamped, seed, count // 3))
    notes = [{"t": "connect", "conn": "c", "addr": conn}]
    notes += [{"t": "recv", "conn": "c", "ts": T / 1e3, "data": p.decode(errors="replace")} for p in payloads]
    (folder / "b.jsonl").write_bytes(changed("".join(json.dumps(n) + "\n" for n in notes).encode(), seed, count // 3))
    rows = [(0, conn, (T + k) * 10**6, payload) for k, payload in enumerate(payloads)]
    schema = {"kind": pl.UInt8, "conn": pl.String, "recv_ts": pl.Int64, "payload": pl.Binary}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "c.parquet")
    for path in sorted(folder.iterdir()):
        whole(path)


@pytest.mark.parametrize("name", ARCHIVES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 5))
def test_changed_archives(tmp_path_factory, name, seed, count):
    """A header that is no longer one, rows with other cells, numbers that fit nothing."""
    path = tmp_path_factory.mktemp("archive") / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(changed(ARCHIVES[name].encode(), seed, count))
    whole(path)


def test_changed_recorded_files(market, tmp_path):
    """Lines of the real captures and archives, changed here and there."""
    apart = {"candles", "l3_bitstamp_20150501"}
    real = [p for p in sorted(market.rglob("*")) if p.suffix in captures.SUFFIXES and not apart & set(p.parts)]
    for number, path in enumerate(real):
        some = b"".join(item[1] for item in islice(lines(path), 40))[:60_000]
        for seed in range(2):
            copy = tmp_path / str(number) / str(seed) / path.name.removesuffix(".gz").removesuffix(".zst")
            copy.parent.mkdir(parents=True)
            copy.write_bytes(changed(some, seed, 3 * seed))
            whole(copy)
