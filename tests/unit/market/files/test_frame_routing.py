"""Frames many at a time have the owners, kinds and times that they have one by one."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.market.bulk.frames import Frames
from ml.market.files import captures, frame_routing
from ml.market.files.captures import columns
from ml.market.files.frame_routing import NAMELESS, NO_FRAME, Line, Owners, RoutedFrames, described, route_frames
from ml.market.files.index import scan
from tests.support.examples import examples
from tests.support.scenario import capture, chain_of, diff
from tests.unit.market.decode.messages import mutated


@pytest.fixture
def one_by_one(monkeypatch):
    """Without any shape, so that the ordinary parser reads all."""
    return lambda: monkeypatch.setattr(frame_routing, "tried_on", lambda conns: np.zeros((len(conns), 2), np.int64))


def attributed_one_by_one(path):
    """(frame, owner, stream, kind, time, anchors) by the ordinary parser, the lines that are none, the passed over."""
    frames = []
    lines = []
    passed_over = Counter()
    for item in columns(path):
        if not isinstance(item, Frames):
            lines.append((item[0], item[2].reason))
            continue
        for k in range(len(item.start)):
            frame = item.frame(k)
            read = described(frame)
            if isinstance(read, Line):
                lines.append((read.offset, read.error.reason))
            elif read.kind == NO_FRAME:
                passed_over[read.stream] += 1
            else:
                frames.append((frame, *read))
    return frames, lines, passed_over


def assert_same(path):
    owners = Owners()
    frames = []
    lines = []
    for item in route_frames(path, owners):
        if isinstance(item, RoutedFrames):
            said = zip(item.owner.tolist(), item.stream.tolist(), *item[3:6], strict=True)
            for k, (owner, stream, *rest) in enumerate(said):
                named = None if owner == NAMELESS else owners.ids[owner]
                frames.append((item.frames.frame(k), named, owners.streams[stream], *rest))
        else:
            lines.append((item.offset, item.error.reason))
    assert (frames, lines, +owners.passed_over) == attributed_one_by_one(path)


@pytest.mark.parametrize("said", [{}, {"st": 1}, {"st": 2}], ids=["no type", "type 1", "type 2"])
@pytest.mark.parametrize(("symbol", "pair"), [("BTCUSDT", "BTCUSDT"), ("BTCUSD_PERP", "BTCUSD")])
def test_a_pair_on_a_connection_without_a_name(tmp_path, symbol, pair, said):
    """Both markets of futures write the same text: shapes claim no more than `route` would, whoever reads first."""
    ts = 1_790_000_000_000
    names = {"s": symbol, "ps": pair}
    diff = {"e": "depthUpdate", "E": ts, "T": ts} | names | {"U": 2, "u": 3, "pu": 1, "b": [["99.5", "1"]], "a": []}
    touch = {"e": "bookTicker", "u": 3} | names | {"b": "99.5", "B": "1", "a": "99.6", "A": "1", "T": ts, "E": ts}
    docs = [{"stream": f"x@{name}", "data": data | said} for name, data in (("depth", diff), ("bookTicker", touch))]
    lines = [f"{ts}000000 {json.dumps(doc, separators=(',', ':'))}\n" for doc in docs]
    (tmp_path / "a.log").write_text("".join(lines))
    assert_same(tmp_path / "a.log")


def test_a_symbol_that_no_venue_lists_costs_its_own_frame_alone(tmp_path):
    """The frame is refused with its symbol, in both decode paths, and the rest is read."""
    good = diff(2, 1, 1_741_000_000_000)
    bad = diff(3, 2, 1_741_000_000_100, symbol="BT/C")
    path = capture(tmp_path / "a.log", [good, bad])
    assert_same(path)
    owners = Owners()
    lines = [one for one in route_frames(path, owners) if isinstance(one, Line)]
    assert [line.error.reason for line in lines] == ["bad_frame"]
    assert owners.ids == ["binance-usdm.BTCUSDT"]


@settings(max_examples=examples(30, 100), deadline=None)
@given(st.lists(mutated(foreign=True), min_size=1, max_size=8))
def test_any_messages(tmp_path_factory, messages):
    """Of several venues and connections in one file, whole and changed."""
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    lines = [{"t": "connect", "conn": str(k), "addr": conn} for k, (conn, _) in enumerate(messages)]
    lines += [
        {"t": "recv", "conn": str(k), "ts": 1.0 + k, "data": payload.decode("latin-1")}
        for k, (_, payload) in enumerate(messages)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert_same(path)
    stamped = b"".join(b"%d %s\n" % (k, payload.replace(b"\n", b"")) for k, (_, payload) in enumerate(messages))
    (path.with_suffix(".log")).write_bytes(stamped)
    assert_same(path.with_suffix(".log"))


def test_recorded_files(market):
    """Each frame of the real captures."""
    for path in [*(market / "binance_raw").glob("*20240718.gz"), market / "bybit_v5_ws" / "BYBIT.jsonl.zst"]:
        assert_same(path)


def test_the_summary_and_the_chain_do_not_depend_on_shapes(market, simulated, one_by_one):
    """Index and arrival order, with and without the compiled path."""
    paths = [*(market / "binance_raw").glob("*ethusdt*.gz"), sorted(simulated.glob("*.zst"))[0]]

    def found():
        chains = [chain_of(path) for path in paths]
        runs = [run for chain in chains for run in chain.runs(chain.instruments()[0])]
        columns = ("offset", "recv_ts", "start", "end")
        arrays = [np.concatenate([getattr(run.frames, name) for run in runs]) for name in columns]
        return [scan(path) for path in paths], arrays, np.concatenate([run.moves for run in runs])

    fast = found()
    one_by_one()
    slow = found()
    assert fast[0] == slow[0]
    np.testing.assert_array_equal(fast[1], slow[1])
    np.testing.assert_array_equal(fast[2], slow[2])


def test_symbols_of_any_length_and_number(tmp_path):
    """More instruments than one, one of them with a name that compiled code does not hold."""
    names = ["A", "AB", "BA", "X" * 70, "A"]
    frame = (
        '{"stream":"s@bookTicker","data":{"e":"bookTicker","u":1,"s":"%s","b":"1","B":"1","a":"2","A":"1","T":1,"E":1}}'
    )
    path = tmp_path / "a.log"
    path.write_text("".join(f"{k} {frame % name}\n" for k, name in enumerate(names, 1)))
    owners = Owners()
    (item,) = route_frames(path, owners)
    assert [owners.ids[n] for n in item.owner.tolist()] == [f"binance-usdm.{name}" for name in names]
    assert len(list(captures.read(path))) == len(names)
