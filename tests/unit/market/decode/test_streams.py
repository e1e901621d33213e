"""Streams mixed in one file: which are read, which are counted by name, and that nothing vanishes."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.core.errors import InstrumentError
from ml.market.bulk import shapes as at
from ml.market.days import infer_instrument
from ml.market.days.replay import inspect
from ml.market.decode import stream
from ml.market.decode.eventlog import EventLog
from ml.market.decode.stream import Stream, arrivals
from ml.market.files import frame_routing
from ml.market.files.index import scan
from tests.support.emulator.market import Market
from tests.support.emulator.protocols import PROTOCOLS
from tests.support.examples import examples
from tests.support.scenario import USDM, capture, chain_of, diff, snapshot

T = 1_741_000_000_000
EVENTS = {
    "kline": {"k": {"t": T, "o": "1.0", "x": False}},
    "24hrTicker": {"p": "1.0", "c": "1.0", "n": 1},
    "24hrMiniTicker": {"c": "1.0"},
    "avgPrice": {"i": "5m", "w": "1.0", "T": T},
    "markPriceUpdate": {"p": "1.0", "i": "1.0", "r": "0.0001", "T": T},
}
"""What the markets of Binance write of a symbol beside books and trades; nothing in it tells them apart."""
STREAMS = {
    "kline": "kline_1m",
    "24hrTicker": "ticker",
    "24hrMiniTicker": "miniTicker",
    "markPriceUpdate": "markPrice@1s",
}
CASES = {
    "binance-spot": "BTCUSDT",
    "binance-usdm": "BTCUSDT",
    "binance-usdm dated": "BTCUSDT_251226",
    "binance-coinm": "BTCUSD_PERP",
    "binance-coinm dated": "BTCUSD_251226",
    "bybit-linear": "BTCUSDT",
    "bybit-spot": "BTCUSDT",
    "bybit-inverse": "BTCUSD",
    "okx-swap": "BTC-USDT-SWAP",
    "okx-spot": "BTC-USDT",
}


def own_frames(venue, symbol, count=12):
    """Books and trades as the venue writes them, with the snapshot that begins the book."""
    protocol = PROTOCOLS[venue](venue)
    market = Market(symbol, 3, protocol.gap_ids)
    found = protocol.frames(market, market.step(T))
    found += protocol.opening(market) or [protocol.snapshot(market, T)]
    for k in range(1, count):
        found += protocol.frames(market, market.step(T + 100 * k))
    return [json.loads(text) for text in found]


def foreign_frames(venue, symbol):
    """Frames of other kinds beside them, and the names by which they are counted."""
    if venue.startswith("binance"):
        name = symbol.lower()
        docs = [
            {"stream": f"{name}@{STREAMS.get(event, event)}", "data": {"e": event, "E": T, "s": symbol} | said}
            for event, said in EVENTS.items()
        ]
        docs += [{"stream": "!ticker@arr", "data": [{"e": "24hrTicker", "s": symbol}]}]
        docs += [{"stream": f"{name}@forceOrder", "data": {"e": "forceOrder", "E": T, "o": {"s": symbol}}}]
        docs += [{"stream": f"{name}@depth5", "data": {"lastUpdateId": 1, "bids": [["1.0", "1"]], "asks": []}}]
        return docs, [*EVENTS, "!ticker@arr", "forceOrder", "depth5 (a partial book without a time)"]
    if venue.startswith("bybit"):
        docs = [
            {"topic": f"{topic}.{symbol}", "type": "snapshot", "ts": T, "data": {}}
            for topic in ("kline.1", "tickers", "allLiquidation")
        ]
        return docs, ["kline", "tickers", "allLiquidation"]
    docs = [
        {"arg": {"channel": channel, "instId": symbol}, "data": [{"ts": str(T)}]}
        for channel in ("tickers", "candle1m", "bbo-tbt")
    ]
    docs += [{"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": []}]
    return docs, ["tickers", "candle1m", "bbo-tbt", "liquidation-orders"]


def written(path, venue, docs):
    """A capture file in which the connection tells Bybit's markets apart, and nothing else."""
    lines = [{"t": "connect", "conn": "1", "addr": f"wss://stream.bybit.com/v5/public/{venue.partition('-')[2]}"}]
    texts = [json.dumps(doc, separators=(",", ":")) for doc in docs]
    if venue.startswith("bybit"):
        lines += [{"t": "recv", "conn": "1", "ts": T / 1e3 + k / 100, "data": text} for k, text in enumerate(texts)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        path.write_text("".join(f"{(T + 10 * k) * 10**6} {text}\n" for k, text in enumerate(texts)))
    return path


def mixed(docs, others):
    """Each of the others between two of the docs, the first before all of them."""
    found = list(docs)
    for k, other in enumerate(others):
        found.insert(2 * k, other)
    return found


def without(docs, *fields):
    """Frames of Binance as they were before it wrote some fields."""
    return [
        doc | {"data": {k: v for k, v in doc["data"].items() if k not in fields}}
        if isinstance(doc.get("data"), dict)
        else doc
        for doc in docs
    ]


def known(report):
    """What a report says of the books and trades."""
    beside = ("median_latency_ms", "streams")
    return {name: {k: v for k, v in found.items() if k not in beside} for name, found in report["instruments"].items()}


def events(path):
    """Books, trades and refusals of a file's first instrument, by compiled code where there is some."""
    chain = chain_of(path)
    name = chain.instruments()[0]
    try:
        instrument = infer_instrument.infer_instrument(chain, name)
    except InstrumentError:
        return None  # nothing in it has a price
    decoded = Stream.of(instrument)
    log = EventLog()
    refused = []
    first = 0
    for run in chain.runs(name):
        refused += [(k, error.reason) for k, error in decoded.decode(run.frames, arrivals(first, run.length), log)]
        first += run.length
    return [np.concatenate([np.ravel(c) for c in part]).tolist() for part in log.streams()], refused, log.trade_ids


def by_the_ordinary_parser(monkeypatch):
    """No shape is tried on any frame."""
    for module in (frame_routing, stream, infer_instrument):
        monkeypatch.setattr(module, "tried_on", lambda conns: np.zeros((len(conns), 2), np.int64))


@pytest.mark.parametrize("before", [(), ("st",), ("st", "ps")], ids=["today", "without a type", "without a pair"])
@pytest.mark.parametrize("case", CASES)
def test_frames_of_other_kinds_change_nothing_and_are_counted(tmp_path, monkeypatch, case, before):
    """Books and trades as without them, whoever reads; the venue is the one that the other frames name."""
    venue = case.partition(" ")[0]
    symbol = CASES[case]
    if before and not venue.startswith("binance-"):
        pytest.skip("only Binance names pair and type")
    docs = without(own_frames(venue, symbol), *before)
    others, names = foreign_frames(venue, symbol)
    alone = written(tmp_path / "a.log", venue, docs)
    path = written(tmp_path / "b.log", venue, mixed(docs, others))
    report = inspect([path])
    assert report["instruments"].keys() == {f"{venue}.{symbol}"}
    assert known(report) == known(inspect([alone]))
    found = report["instruments"][f"{venue}.{symbol}"]
    assert found["book_messages"] >= 11
    assert found["trades"] > 0
    assert (found["gaps"], report["quarantined"]) == ([], [])
    assert report["not_read"] == Counter(names)
    read = events(path)
    by_the_ordinary_parser(monkeypatch)
    assert inspect([path]) == report
    assert events(path) == read


def test_frames_that_name_no_market_take_that_of_their_symbol(tmp_path):
    """Two markets in one file without connections: each candle and each trade belongs to the market of its symbol."""
    spot = own_frames("binance-spot", "ETHUSDT")
    usdm = [doc for doc in own_frames("binance-usdm", "BTCUSDT") if "lastUpdateId" not in doc]
    trades = [aggregated(7, T, symbol=symbol, first=1) for symbol in ("ETHUSDT", "BTCUSDT")]
    path = written(tmp_path / "a.log", "", [*trades, *[d for d in spot if "lastUpdateId" not in d], *usdm])
    index, _ = scan(path)
    assert set(index.instruments) == {"binance-spot.ETHUSDT", "binance-usdm.BTCUSDT"}


def test_the_address_of_a_connection_names_the_market(tmp_path):
    """As cryptofeed records it: spot and USD-M of one symbol in one file, each with the snapshot that it asked for."""
    lines = []
    for market, host, path in (("spot", "", "api/v3"), ("usdm", "f", "fapi/v1")):
        conn = f"{market}.ws"
        docs = own_frames(f"binance-{market}", "BTCUSDT")
        lines.append({"t": "connect", "conn": conn, "addr": f"wss://{host}stream.binance.com/stream?streams=x"})
        for k, doc in enumerate(docs):
            line = {"conn": conn, "ts": T / 1e3 + k / 100, "data": json.dumps(doc)}
            url = f"https://{host}api.binance.com/{path}/depth?symbol=BTCUSDT&limit=1000"
            is_snapshot = "lastUpdateId" in doc
            lines.append({"t": "http", "url": url} | line if is_snapshot else {"t": "recv"} | line)
    url = "https://api.binance.com/api/v3/exchangeInfo?x=1"
    lines.append({"t": "http", "conn": "x", "ts": T / 1e3, "url": url, "data": "[1,2]"})
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = inspect([tmp_path / "a.jsonl"])
    assert report["instruments"].keys() == {"binance-spot.BTCUSDT", "binance-usdm.BTCUSDT"}
    for found in report["instruments"].values():
        assert found["book_messages"] >= 11
        assert (found["gaps"], found["best_bid"] is None) == ([], False)
    assert (report["quarantined"], report["not_read"]) == ([], {"https://api.binance.com/api/v3/exchangeInfo": 1})


def partial(ts, bids, asks, name="depth5@100ms", u=100):
    doc = diff(u, u - 5, ts, bids, asks)
    return doc | {"stream": f"btcusdt@{name}"}


PARTIAL = [
    partial(T + 100 * k, [("99.9", "1.000")], [(f"100.{ask}", "1.000"), ("100.7", "1.000")], u=105 + 5 * k)
    for k, ask in enumerate((1, 2, 3))
]
DIFFS = [diff(5, 4, T), snapshot(5, T, [("99.0", "1.000")], [("101.0", "1.000")])] + [
    diff(k, k - 1, T + 50 * k, asks=[(f"10{k}.0", "1.000")]) for k in range(6, 9)
]


def test_partial_depth_alone_is_the_whole_book_each_time(tmp_path):
    """A level that is not written any more is gone; the ids are not those of the diffs."""
    path = written(tmp_path / "a.log", "", [snapshot(100, T, [("99.9", "1")], [("100.1", "1")]), *PARTIAL])
    found = inspect([path])["instruments"][USDM]
    assert (found["best_bid"], found["best_ask"], found["ask_levels"]) == (99.9, 100.3, 2)
    assert (found["book_messages"], found["gaps"]) == (3, [])
    assert found["streams"] == ["depth5@100ms", "snapshot"]


@pytest.mark.parametrize(
    ("others", "name"),
    [
        (PARTIAL, "depth5@100ms"),
        ([doc | {"stream": "btcusdt@depth@500ms"} for doc in DIFFS[2::2]], "depth@500ms"),
    ],
    ids=["partial", "slower diffs"],
)
def test_one_stream_of_a_book_is_read(tmp_path, others, name):
    """The deepest, then the one with most frames; the ids of another would break it."""
    report = inspect([written(tmp_path / "a.log", "", mixed(DIFFS, others))])
    assert known(report) == known(inspect([written(tmp_path / "b.log", "", DIFFS)]))
    assert report["not_read"] == {f"{name} (beside depth)": len(others)}


def test_two_depths_of_one_book_on_bybit(tmp_path):
    """Each has a counter of its own; the deeper one is read."""
    docs = own_frames("bybit-linear", "BTCUSDT")
    shallow = [
        doc | {"topic": "orderbook.50.BTCUSDT"}
        for doc in own_frames("bybit-linear", "BTCUSDT", 8)
        if doc["topic"].startswith("orderbook")
    ]
    report = inspect([written(tmp_path / "a.log", "bybit-linear", mixed(docs, shallow))])
    assert known(report) == known(inspect([written(tmp_path / "b.log", "bybit-linear", docs)]))
    assert report["not_read"] == {"orderbook.50 (beside orderbook.200)": len(shallow)}


def test_five_levels_of_okx_alone_are_the_whole_book_each_time(tmp_path):
    """Without an action, and with ids that do not follow each other."""
    docs = [
        {
            "arg": {"channel": "books5", "instId": "BTC-USDT"},
            "data": [
                {"asks": [[ask, "1", "0", "1"]], "bids": [["99", "1", "0", "1"]], "ts": str(T + k), "seqId": 9 - k}
            ],
        }
        for k, ask in enumerate(("101", "102"))
    ]
    found = inspect([written(tmp_path / "a.log", "", docs)])["instruments"]["okx-spot.BTC-USDT"]
    assert (found["best_ask"], found["ask_levels"], found["book_messages"], found["gaps"]) == (102.0, 1, 2, [])


def test_books_of_okx_without_ids_get_one_answer(tmp_path):
    """Before June 2023: nothing shows that a message is missing, so no book is known; the trades are read."""
    docs = own_frames("okx-swap", "BTC-USDT-SWAP")
    for doc in docs:
        for entry in doc["data"] if doc["arg"]["channel"] == "books" else []:
            del entry["seqId"], entry["prevSeqId"]
    report = inspect([written(tmp_path / "a.log", "", docs)])
    found = report["instruments"]["okx-swap.BTC-USDT-SWAP"]
    assert (found["book_messages"], found["best_bid"], report["quarantined"]) == (0, None, [])
    assert found["trades"] > 0
    assert report["not_read"] == {"books without seqId, as before June 2023": 13}


def aggregated(number, ts, price="100.0", size="1.000", first=0, last=None, maker=False, symbol="BTCUSDT"):
    data = {"e": "aggTrade", "E": ts, "a": number, "s": symbol, "p": price, "q": size, "f": first}
    data |= {"l": first if last is None else last, "T": ts, "m": maker}
    return {"stream": f"{symbol.lower()}@aggTrade", "data": data}


def single(number, ts, price="100.0", size="1.000", maker=False):
    data = {"e": "trade", "E": ts, "T": ts, "s": "BTCUSDT", "t": number, "p": price, "q": size, "X": "MARKET"}
    return {"stream": "btcusdt@trade", "data": data | {"m": maker}}


def test_aggregated_trades_are_trades(tmp_path):
    """The one documented trade stream of futures; where each trade is there too, it is read instead."""
    both = [aggregated(7, T + 10, size="2.000", first=3, last=4), single(3, T + 10), single(4, T + 10)]
    found = inspect([written(tmp_path / "a.log", "", [*DIFFS, both[0]])])["instruments"][USDM]
    assert (found["trades"], found["streams"]) == (1, ["aggTrade", "depth", "snapshot"])
    report = inspect([written(tmp_path / "b.log", "", [*DIFFS, *both])])
    assert (report["instruments"][USDM]["trades"], report["not_read"]) == (2, {"aggTrade (beside trade)": 1})


def recorded(folder, name, docs, start):
    """A capture of these frames, one every 100 ms."""
    return capture(folder / name, docs, start_ms=start, step_ms=100)


def overlapping(orders, first, behind):
    """Frames of each trade, and of them aggregated, of the orders in a time."""
    each = [single(n, T + 100 * n) for n in range(orders)]
    together = [aggregated(n, T + 100 * n, first=n) for n in range(orders)]
    return each[first:behind], together[first:behind]


def test_trades_count_once_where_files_of_two_streams_overlap(tmp_path):
    """While each trade was recorded it is read; before and after that what is aggregated is."""
    each, _ = overlapping(40, 10, 30)
    _, together = overlapping(40, 0, 40)
    paths = [recorded(tmp_path, "a.log", each, T + 1_000), recorded(tmp_path, "b.log", together[:25], T)]
    paths += [recorded(tmp_path, "c.log", together[25:], T + 2_500)]
    report = inspect(paths)
    assert report["instruments"][USDM]["trades"] == 25 + 15
    assert report["not_read"] == {"trade (beside aggTrade)": 15, "aggTrade (beside trade)": 5}
    assert report["quarantined"] == []
    assert report["instruments"][USDM]["streams"] == ["aggTrade", "trade"]


def test_a_file_that_changes_its_stream_of_trades_loses_none(tmp_path):
    """The collector was told another stream partway."""
    docs = overlapping(30, 0, 20)[0] + overlapping(30, 20, 30)[1]
    report = inspect([recorded(tmp_path, "a.log", docs, T)])
    assert (report["instruments"][USDM]["trades"], report["not_read"]) == (30, {})


def test_aggregated_and_single_trades_of_one_day_from_an_archive_count_once(tmp_path):
    """Both files of Binance Vision given together, and beside a capture of the same trades."""
    (tmp_path / "um").mkdir()
    rows = "".join(f"{n},100.0,1.000,{n},{n},{T + 100 * n},false\n" for n in range(8))
    head = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
    (tmp_path / "um" / "BTCUSDT-aggTrades-2025-03-03.csv").write_text(head + rows)
    rows = "".join(f"{n},100.0,1.000,100.0,{T + 100 * n},false\n" for n in range(8))
    (tmp_path / "um" / "BTCUSDT-trades-2025-03-03.csv").write_text(
        "id,price,qty,quote_qty,time,is_buyer_maker\n" + rows
    )
    recorded(tmp_path, "a.log", overlapping(8, 2, 6)[0], T + 205)
    report = inspect(sorted(path for path in tmp_path.rglob("*") if path.is_file()))
    found = report["instruments"][USDM]
    assert (found["trades"], found["streams"]) == (8, ["binance-vision-trades"])
    assert report["not_read"].keys() == {
        "binance-vision-aggtrades (beside binance-vision-trades)",
        "trade (beside binance-vision-trades)",
    }


@pytest.mark.parametrize("name", ["depth@500ms", "depth20@100ms"])
def test_two_streams_of_one_book_in_overlapping_files(tmp_path, name):
    """The ids of another would break it: it is read only while the better one was not recorded."""
    book = [*DIFFS[:2], *(diff(k, k - 1, T + 100 * k, asks=[(f"10{k % 9 + 1}.0", "1.000")]) for k in range(6, 40))]
    others = [doc | {"stream": f"btcusdt@{name}"} for doc in book[8:30:2]]
    paths = [recorded(tmp_path, "a.log", book, T), recorded(tmp_path, "b.log", others, T + 800)]
    report = inspect(paths)
    assert known(report) == known(inspect(paths[:1]))
    assert report["not_read"] == {f"{name} (beside depth)": len(others)}


ORDERS = st.lists(st.integers(1, 3), min_size=1, max_size=5)
"""Orders, by how many trades each makes."""


@st.composite
def files(draw):
    """Frames of one instrument of USD-M in any order of its streams, each stream in its own; and the trades' orders."""
    orders = draw(ORDERS)
    streams = draw(st.sets(st.sampled_from("dpsaotx")))
    number = 0
    each = []
    together = []
    for k, count in enumerate(orders):
        ts = T + 40 * k
        each += [single(number + n, ts) for n in range(count)]
        together.append(aggregated(k, ts, size=f"{count}.000", first=number, last=number + count - 1))
        number += count
    tickers = [{"stream": "btcusdt@kline_1m", "data": {"e": "kline", "E": T, "s": "BTCUSDT"}}] * 2
    odd = [{"hello": 1}, {"stream": "x"}, b"no stamp\n", {"result": None, "id": 1}]
    slow = [doc | {"stream": "btcusdt@depth@500ms"} for doc in DIFFS[2:4]]
    found = {"d": DIFFS, "p": PARTIAL, "s": slow, "a": together, "t": each, "o": tickers, "x": odd}
    queues = [list(found[name]) for name in sorted(streams)]
    docs = []
    while queues := [queue for queue in queues if queue]:
        docs.append(draw(st.sampled_from(queues)).pop(0))
    return docs, sum(orders), len(orders), streams


@settings(max_examples=examples(20, 60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files())
def test_whatever_a_file_holds_each_frame_is_read_or_counted_or_refused(tmp_path_factory, given_):
    """And trades count once, and compiled code reads the same."""
    docs, trades, orders, streams = given_
    path = tmp_path_factory.mktemp("streams") / "a.log"
    lines = [
        doc
        if isinstance(doc, bytes)
        else b"%d %s\n" % ((T + 10 * k) * 10**6, json.dumps(doc, separators=(",", ":")).encode())
        for k, doc in enumerate(docs)
    ]
    path.write_bytes(b"".join(lines) or b"\n")
    index, refused = scan(path)
    read = sum(index.not_read.values())
    if index.instruments:
        chain = chain_of(path)
        read = sum(chain.not_read().values())
        for name in index.instruments:
            read += sum(int(np.count_nonzero(run.kind != at.OTHER)) for run in chain.runs(name))
        tallied = {"t": trades, "a": orders}
        found = inspect([path])["instruments"].get(USDM)
        expected = next((tallied[name] for name in "ta" if name in streams), 0)
        assert (found["trades"] if found else 0) == expected
        if {"d"} == streams & {"d", "p", "s"}:
            assert found["gaps"] == []
    assert read + len(refused) == max(len(docs), 1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fast = events(path) if index.instruments else None
        by_the_ordinary_parser(monkeypatch)
        again, refused_again = scan(path)
        assert again == index
        assert [(line.offset, line.error.reason) for line in refused_again] == [
            (line.offset, line.error.reason) for line in refused
        ]
        assert fast == (events(path) if index.instruments else None)
