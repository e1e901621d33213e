"""Planted capture files are read like any other, and differ from the source only where an episode is."""

import gzip

import orjson
import polars as pl
import pyarrow as pa
import pytest

from ml.capture.journal import Kind
from ml.core.errors import CaptureError
from ml.market.days.replay import inspect
from ml.market.files import lines
from ml.simulation.plant_files import plant_file, truth_text
from ml.simulation.plants import Alpha
from ml.simulation.publish import frames, write_captures
from ml.simulation.venue import Market, simulate
from ml.tables.schemas import SCHEMAS

START = 1_741_046_400 * 10**9
SECONDS = 180


@pytest.fixture(scope="module")
def sent():
    """Frames of three minutes: receive time and JSON."""
    return [(recv, orjson.loads(text)) for recv, text in frames(simulate(Market(5, SECONDS, Alpha(0.1))), START, 5)]


def _spot(doc):
    if "lastUpdateId" in doc:
        return {name: doc[name] for name in ("lastUpdateId", "bids", "asks")}
    data = doc["data"]
    named = {"e": data["e"], "E": data["E"], "s": "SIMUSDT"}
    if data["e"] == "trade":
        rest = {name: data[name] for name in ("t", "p", "q", "T", "m")} | {"M": True}
    else:
        rest = {"U": data["pu"] + 1} | {name: data[name] for name in ("u", "b", "a")}
    return {"stream": f"simusdt@{'trade' if data['e'] == 'trade' else 'depth'}", "data": named | rest}


def _okx(doc):
    data = doc.get("data")
    if data is None:
        return None
    channel = "trades" if data["e"] == "trade" else "books"
    arg = {"channel": channel, "instId": "SIM-USDT-SWAP"}
    if channel == "trades":
        entry = {"instId": "SIM-USDT-SWAP", "tradeId": str(data["t"]), "px": data["p"], "sz": data["q"]}
        entry |= {"side": "sell" if data["m"] else "buy", "ts": str(data["T"]), "count": "1"}
        return {"arg": arg, "data": [entry]}
    levels = {to: [[*level, "0", "1"] for level in data[was]] for to, was in (("asks", "a"), ("bids", "b"))}
    entry = levels | {"ts": str(data["T"]), "checksum": 0, "seqId": data["u"], "prevSeqId": data["pu"]}
    return {"arg": arg, "action": "update", "data": [entry]}


def _bybit(doc):
    data = doc.get("data")
    if data is None:
        return None
    if data["e"] == "trade":
        entry = {"T": data["T"], "s": "SIMUSDT", "S": "Sell" if data["m"] else "Buy", "v": data["q"], "p": data["p"]}
        entry |= {"L": "PlusTick", "i": f"x-{data['t']}", "BT": False}
        return {"topic": "publicTrade.SIMUSDT", "type": "snapshot", "ts": data["T"], "data": [entry]}
    levels = {"s": "SIMUSDT", "b": data["b"], "a": data["a"], "u": data["u"], "seq": data["u"]}
    return {"topic": "orderbook.200.SIMUSDT", "type": "delta", "ts": data["E"], "data": levels, "cts": data["T"]}


def _streamed(sent, convert, anchor):
    """Frames of a venue whose snapshots come in the stream: the first diff is one."""
    found = []
    books = 0
    for recv, doc in sent:
        made = convert(doc)
        if made is None:
            continue
        if doc["data"]["e"] == "depthUpdate":
            anchor(made, books)
            books += 1
        found.append((recv, made))
    return found


def _okx_anchor(doc, books):
    if books == 0:
        doc["action"] = "snapshot"
        doc["data"][0]["prevSeqId"] = -1


def _bybit_anchor(doc, books):
    doc["data"]["u"] = 10 + books
    if books == 0:
        doc["type"] = "snapshot"


def _stamped(path, found):
    text = b"".join(b"%d %s\n" % (recv, orjson.dumps(doc)) for recv, doc in found)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def _wrapped(path, found):
    """As a collector writes it that notes its connections."""
    addr = "wss://stream.bybit.com/v5/public/linear"
    notes = [{"t": "connect", "conn": "c1", "ts": found[0][0] / 1e9, "addr": addr}]
    notes += [{"t": "recv", "conn": "c1", "ts": recv / 1e9, "data": orjson.dumps(doc).decode()} for recv, doc in found]
    with pa.output_stream(str(path), compression="zstd") as sink:
        sink.write(b"".join(orjson.dumps(note) + b"\n" for note in notes))
    return path


def _sealed(path, found):
    rows = [(Kind.FRAME, "binance-usdm x", recv, orjson.dumps(_usdm(doc))) for recv, doc in found]
    pl.DataFrame(rows, schema=dict(SCHEMAS["captures"].items()), orient="row").write_parquet(path)
    return path


def _usdm(doc):
    return doc | {"stream": doc["stream"].removeprefix("sim/")} if "stream" in doc else doc


MADE = {
    "binance-usdm": lambda folder, sent: _stamped(folder / "a.gz", [(recv, _usdm(doc)) for recv, doc in sent]),
    "binance-spot": lambda folder, sent: _stamped(folder / "b.txt", [(recv, _spot(doc)) for recv, doc in sent]),
    "okx-swap": lambda folder, sent: _stamped(folder / "c.jsonl", _streamed(sent, _okx, _okx_anchor)),
    "bybit-linear": lambda folder, sent: _wrapped(folder / "d.zst", _streamed(sent, _bybit, _bybit_anchor)),
    "sealed": lambda folder, sent: _sealed(folder / "e.parquet", sent),
    "sim": lambda folder, sent: write_captures(folder, ((recv, orjson.dumps(doc)) for recv, doc in sent))[0],
}


def _lines(path):
    if path.suffix == ".parquet":
        return [row["payload"] for row in pl.read_parquet(path).iter_rows(named=True)]
    return [item[1] for item in lines.lines(path)]


@pytest.mark.parametrize("form", MADE)
def test_a_planted_file_is_of_the_same_format_and_goes_on_without_a_gap(form, sent, tmp_path):
    """The same frames, levels and trades more, no gap more; most lines keep their bytes."""
    source = MADE[form](tmp_path, sent)
    target = tmp_path / f"planted{source.suffix}"
    planted = plant_file(source, target, 3, ["simultaneous", "moving", "both_sides"], 6)
    assert planted.truth.height >= 3
    (was,) = inspect([source])["instruments"].values()
    told = inspect([target])
    ((name, now),) = told["instruments"].items()
    assert told["quarantined"] == []
    assert name == planted.truth["instrument"][0]
    assert now["gaps"] == was["gaps"]
    assert now["trades"] == was["trades"] + planted.truth.height
    assert now["book_messages"] == was["book_messages"]
    assert now["level_updates"] > was["level_updates"]
    before, after = _lines(source), _lines(target)
    kept = set(before)
    assert len(after) == len(before) + planted.truth.height
    changed = [line for line in after if line not in kept]
    assert len(changed) < len(after) / 4
    again = plant_file(source, tmp_path / f"again{source.suffix}", 3, ["simultaneous", "moving", "both_sides"], 6)
    assert again.truth.equals(planted.truth)
    assert _lines(tmp_path / f"again{source.suffix}") == after


@pytest.mark.parametrize("form", MADE)
def test_a_feed_reset_is_a_gap_that_ends(form, sent, tmp_path):
    """The book is lost and found again; nothing is quarantined."""
    source = MADE[form](tmp_path, sent)
    target = tmp_path / f"planted{source.suffix}"
    planted = plant_file(source, target, 3, ["feed_reset"], 1)
    assert planted.truth.height == 1
    told = inspect([target])
    (now,) = told["instruments"].values()
    (was,) = inspect([source])["instruments"].values()
    assert told["quarantined"] == []
    added = [gap for gap in now["gaps"] if gap["end"] is not None and gap["reason"] == "sequence_gap"]
    assert len(added) == 1
    reset = planted.truth["first_pull"][0]
    assert added[0]["start"] < reset < added[0]["end"] < reset + 2 * 10**9
    for column in ("best_bid", "best_ask", "bid_levels", "ask_levels"):
        assert now[column] == was[column]


def test_the_truth_is_told_in_prices(sent, tmp_path):
    """As a person reads them, with the id of each episode."""
    source = MADE["sim"](tmp_path, sent)
    planted = plant_file(source, tmp_path / "planted.zst", 3, ["single_wall"], 2)
    told = orjson.loads(truth_text(planted, "planted.zst", 3))
    first = told["episodes"][0]
    assert told["seed"] == 3
    assert first["episode_id"] == "sim.SIMUSDT-3-00000"
    assert first["prices"] == [planted.truth["prices"][0][0] / 10]
    assert first["label"] == 1


def test_a_file_without_trades_is_refused(sent, tmp_path):
    """The opposite trade is part of an episode; the message says what is missing."""
    books = [(recv, doc) for recv, doc in sent if doc.get("data", {}).get("e") != "trade"]
    source = MADE["binance-usdm"](tmp_path, books)
    with pytest.raises(CaptureError, match=r"nothing can be planted \(binance-usdm.SIMUSDT: no trades\)"):
        plant_file(source, tmp_path / "planted.gz", 3, ["simultaneous"], 2)
    assert not (tmp_path / "planted.gz").exists()


def test_a_file_that_continues_another_gets_its_book(sent, tmp_path):
    """Only the file itself changes; its episodes lie within it."""
    found = [(recv, _usdm(doc)) for recv, doc in sent]
    half = next(k for k, (recv, _) in enumerate(found) if recv > START + 60 * 10**9)
    later = [item for item in found[half:] if "lastUpdateId" not in item[1]]
    first = _stamped(tmp_path / "first.gz", found[:half])
    source = _stamped(tmp_path / "second.gz", later)
    with pytest.raises(CaptureError, match="no book that can be followed"):
        plant_file(source, tmp_path / "planted.gz", 3, ["simultaneous"], 2)
    planted = plant_file(source, tmp_path / "planted.gz", 3, ["simultaneous"], 3, before=[first])
    assert planted.truth.height > 0
    assert planted.truth["start"].min() > START + 60 * 10**9
    (now,) = inspect([first, tmp_path / "planted.gz"])["instruments"].values()
    assert now["gaps"] == []
