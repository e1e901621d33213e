"""`lobforge inspect`: return codes, the JSON contract, and what each kind of bad input gets."""

import gzip
import json
import zipfile
from pathlib import Path

import jsonschema
import pytest

from tests.support.command import lobforge
from tests.support.scenario import USDM, capture, diff, snapshot, trade

T = 1_741_000_000_000
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "inspect.json").read_text())
GOOD = [diff(1, 0, T), snapshot(1, T), trade(1, T + 50), diff(2, 1, T + 100), diff(3, 2, T + 200)]
NAMELESS = {"topic": "orderbook.50.BTCUSDT", "type": "delta", "data": {}}
"""Bybit's spot and linear streams share topics: without its connection the frame belongs nowhere."""


def run(capsys, *arguments):
    """Return code and the one JSON object, checked against its schema."""
    code = lobforge("inspect", *arguments, "--json")
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, SCHEMA)
    return code, report


def inside(good, position, *bad):
    return [*good[:position], *bad, *good[position:]]


@pytest.fixture
def good(tmp_path):
    return capture(tmp_path / "good.log", GOOD)


def test_a_whole_capture_returns_zero(capsys, good):
    """Nothing was quarantined, and the numbers are the file's."""
    code, report = run(capsys, good)
    found = report["instruments"][USDM]
    assert (code, report["quarantined"]) == (0, [])
    assert (found["book_messages"], found["trades"], found["gaps"]) == (3, 1, [])
    assert (found["best_bid"], found["best_ask"], found["bid_levels"], found["ask_levels"]) == (99.0, 101.0, 1, 1)
    assert (found["first_event_ts"], found["last_event_ts"]) == (T * 10**6, (T + 200) * 10**6)


def test_a_book_with_a_gap_is_shown_as_unknown(capsys, tmp_path):
    """Its last prices are no answer; once a snapshot made it known again it has prices, and the loss is still told."""
    docs = [*GOOD, diff(9, 8, T + 300), diff(10, 9, T + 400)]
    code, report = run(capsys, capture(tmp_path / "a.log", docs))
    found = report["instruments"][USDM]
    assert code == 1
    assert (found["best_bid"], found["best_ask"], found["bid_levels"], found["ask_levels"]) == (None, None, 0, 0)
    (gap,) = found["gaps"]
    assert (gap["from_id"], gap["to_id"], gap["end"], gap["reason"]) == (3, 8, None, "sequence_gap")
    code, report = run(capsys, capture(tmp_path / "a.log", [*docs, snapshot(10, T + 400)]))
    assert (code, report["instruments"][USDM]["best_bid"]) == (1, 99.0)


def test_a_book_that_trades_outlive_is_unknown(capsys, tmp_path):
    """Trades say nothing of the book: beyond the bound on its age it is silent from its last message on."""
    code, report = run(
        capsys, capture(tmp_path / "a.log", [*GOOD, *(trade(2 + k, T + 20_000 * k) for k in range(1, 5))])
    )
    found = report["instruments"][USDM]
    assert (code, found["best_bid"], found["ask_levels"]) == (1, None, 0)
    assert [(gap["start"], gap["reason"]) for gap in found["gaps"]] == [((T + 200) * 10**6, "silent")]


def test_trades_alone_are_no_lost_book(capsys, tmp_path):
    """There was none to lose."""
    code, report = run(capsys, capture(tmp_path / "a.log", [trade(1, T), trade(2, T + 50_000)]))
    assert (code, report["instruments"][USDM]["gaps"], report["instruments"][USDM]["trades"]) == (0, [], 2)


@pytest.mark.parametrize(
    ("docs", "reason", "line"),
    [
        (inside(GOOD, 3, b"1741000000300000000 {broken\n"), "bad_json", 3),
        (inside(GOOD, 3, b"no stamp at all\n"), "bad_json", 3),
        (inside(GOOD, 3, NAMELESS), "wrong_venue", 3),
        (inside(GOOD, 3, {"weather": "rain"}), "unknown_frame", 3),
        ([*GOOD, diff(4, 3, T - 60_000)], "clock_back", 5),
        ([*GOOD, diff(4, 3, T + 10**7)], "clock_ahead", 5),
        ([*GOOD, diff(4, 3, T + 300, bids=[("0.0", "1.000")])], "price_zero", 5),
        ([*GOOD, diff(4, 3, T + 300, bids=[("1e400", "1.000")])], "bad_number", 5),
        ([*GOOD, diff(4, 3, T + 300, bids=[("99.0",)])], "bad_frame", 5),
        ([*GOOD, trade(2, T + 300, price="0.0")], "off_market", 5),
        ([*GOOD, trade(1, T + 300, price="98.0")], "unequal_repeat", 5),
    ],
)
def test_one_bad_line_is_quarantined_with_its_offset(capsys, tmp_path, docs, reason, line):
    """Return code 1; the rest is processed."""
    path = capture(tmp_path / "a.log", docs)
    code, report = run(capsys, path)
    (entry,) = report["quarantined"]
    offset = sum(len(text) for text in path.read_bytes().splitlines(keepends=True)[:line])
    assert (code, entry["reason"], entry["offset"], entry["file"]) == (1, reason, offset, "a.log")
    assert (report["instruments"][USDM]["book_messages"], report["instruments"][USDM]["trades"]) == (3, 1)


@pytest.mark.parametrize(
    ("docs", "reason", "ids", "ends"),
    [
        ([d for d in GOOD if "lastUpdateId" not in d], "no_snapshot", (None, None), False),
        ([*GOOD, diff(9, 8, T + 400)], "sequence_gap", (3, 8), False),
        ([*GOOD, diff(9, 8, T + 400), snapshot(9, T + 400), diff(10, 9, T + 500)], "sequence_gap", (3, 8), True),
        ([*GOOD, diff(4, 3, T + 300, asks=[("101.0", "0")])], "one_sided", (None, None), False),
        ([*GOOD, diff(4, 3, T + 300, bids=[("0.0", "1.000")]), diff(5, 4, T + 400)], "bad_frame", (3, 4), False),
    ],
)
def test_what_is_missing_is_a_gap(capsys, tmp_path, docs, reason, ids, ends):
    """With its ids where there are some, open where no later snapshot came."""
    _, report = run(capsys, capture(tmp_path / "a.log", docs))
    (gap,) = report["instruments"][USDM]["gaps"]
    assert (gap["reason"], (gap["from_id"], gap["to_id"]), gap["end"] is not None) == (reason, ids, ends)


def test_a_truncated_gzip_gives_what_it_holds(capsys, tmp_path):
    """What could be read counts, the torn end is quarantined at its offset."""
    docs = [
        diff(1, 0, T),
        snapshot(1, T),
        *(diff(k, k - 1, T + 10 * k, bids=[(f"{k}.0", "1.000")]) for k in range(2, 90)),
    ]
    text = capture(tmp_path / "a.log", docs).read_bytes()
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(text)[:-200])
    code, report = run(capsys, torn)
    assert code == 1
    entry = report["quarantined"][-1]
    assert (entry["file"], entry["reason"]) == ("torn.gz", "truncated")
    assert 0 < entry["offset"] < len(text)
    assert 0 < report["instruments"][USDM]["book_messages"] < 89


def test_an_empty_file_beside_a_good_one(capsys, good, tmp_path):
    """It is named; the other is read."""
    (tmp_path / "none.log").touch()
    code, report = run(capsys, good, tmp_path / "none.log")
    assert code == 1
    assert [(e["file"], e["reason"]) for e in report["quarantined"]] == [("none.log", "empty")]
    assert report["instruments"][USDM]["book_messages"] == 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: (folder / "none.log").touch() or folder / "none.log", "none.log"),
        (lambda folder: folder / "absent.gz", "absent.gz"),
        (lambda folder: folder, "no capture file"),
        (lambda folder: capture(folder / "x.log", [b"junk\n"] * 3), "bad_json"),
        (lambda folder: capture(folder / "x.log", [NAMELESS]), "wrong_venue"),
    ],
)
def test_where_nothing_can_be_read_the_code_is_two(capsys, tmp_path, make, says):
    """An empty file, no file, a directory without captures, a file without a frame: the error says which."""
    code, report = run(capsys, make(tmp_path))
    assert code == 2
    assert report["error"] == "CaptureError"
    assert says in report["message"]


def test_a_directory_and_any_order_of_its_files(capsys, tmp_path):
    """A directory stands for all captures in it; files given twice or in another order give the same report."""
    first = capture(tmp_path / "b.log", GOOD[:3])
    second = capture(tmp_path / "a.log", GOOD[3:], start_ms=T + 300)
    whole = run(capsys, tmp_path)
    assert run(capsys, second, first) == run(capsys, first, second, first) == whole
    assert whole[1]["instruments"][USDM]["book_messages"] == 3


def test_people_get_a_table_and_the_reasons(capsys, tmp_path):
    """One line an instrument, one line for each thing that was quarantined; errors go to stderr."""
    path = capture(tmp_path / "a.log", [*GOOD, b"junk\n"])
    assert lobforge("inspect", path) == 1
    printed = capsys.readouterr().out
    assert "quarantined: a.log at byte" in printed
    assert "bad_json" in printed
    assert lobforge("inspect", tmp_path / "absent") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")


DELETES = [diff(k, k - 1, T + k, bids=[("99.5", "0")], asks=[("100.25", "0.000")]) for k in range(1, 4)]
KLINE = "1741046400000,100.1,101.1,99.1,100.5,1.5,1741046459999,150,7,0.5,50,0\n"


@pytest.mark.parametrize(
    ("name", "content", "lost"),
    [("um/BTCUSDT-1m-2025-03-04.csv", KLINE, 0), ("deletes.log", DELETES, 1)],
    ids=["candles alone", "removals alone"],
)
def test_an_instrument_without_a_price_has_none(capsys, tmp_path, name, content, lost):
    """Null, not zero: nothing is known of its book; nothing is refused for decimals that nobody gave.

    Changes without a snapshot are a book that was lost.
    """
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    _ = path.write_text(content) if isinstance(content, str) else capture(path, content)
    code, report = run(capsys, path)
    found = report["instruments"][USDM]
    assert (code, report["quarantined"]) == (lost, [])
    assert (found["best_bid"], found["best_ask"], found["bid_levels"], found["ask_levels"]) == (None, None, 0, 0)
    lobforge("inspect", path)
    printed = capsys.readouterr().out
    assert "None" not in printed
    assert "0.0" not in printed


KLINE = "1735689600000000,100.0,101.0,99.0,100.5,10.0,1735689659999999,1005.0,7,5.0,502.5,0\n"
AGG = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
    "1,2,3,4,4,1735689600000,true\n"
)


@pytest.mark.parametrize("name", ["BTCUSDT-1m-2025-01-01.csv", "BTCUSDT-1m-2025-01-01.zip", "AppleDouble.zip"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order-mark"])
def test_a_file_that_is_refused_alone_is_told_as_beside_others(capsys, tmp_path, good, name, mark):
    """Reason, which file, and what to do: on the screen and in the error's JSON."""
    if name == "AppleDouble.zip":
        name = "BTCUSDT-1m-2025-01-02.zip"
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("__MACOSX/._BTCUSDT-1m-2025-01-02.csv", b"\x00\x05\x16\x07")
            archive.writestr("BTCUSDT-1m-2025-01-02.csv", mark + KLINE.encode())
    elif name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("BTCUSDT-1m-2025-01-01.csv", mark + KLINE.encode())
    else:
        (tmp_path / name).write_bytes(mark + KLINE.encode())
    (entry,) = run(capsys, good, tmp_path / name)[1]["quarantined"]
    assert "keep the archive's folders" in entry["detail"]
    for arguments in ([], ["--json"]):
        assert lobforge("inspect", tmp_path / name, *arguments) == 2
        told = "".join(capsys.readouterr())
        assert f"{name}: 1 x {entry['reason']} ({entry['detail']})" in (
            json.loads(told)["message"] if arguments else told
        )


def test_a_byte_order_mark_and_the_files_of_a_mac_are_no_part_of_an_archive(capsys, tmp_path):
    """With a header or without, plain or zipped."""
    names = [f"BTCUSDT-aggTrades-2025-01-0{n}" for n in range(1, 4)]
    (tmp_path / f"{names[0]}.csv").write_bytes(b"\xef\xbb\xbf" + AGG.encode())
    (tmp_path / f"{names[1]}.csv").write_bytes(b"\xef\xbb\xbf" + AGG.splitlines()[1].replace("1,", "2,", 1).encode())
    with zipfile.ZipFile(tmp_path / f"{names[2]}.zip", "w") as archive:
        archive.writestr(f"{names[2]}.csv", AGG.replace("\n1,", "\n3,"))
        archive.writestr(f"__MACOSX/._{names[2]}.csv", b"\x00\x05\x16\x07")
        archive.writestr(".DS_Store", b"\x00")
    code, report = run(capsys, tmp_path)
    assert (code, report["instruments"][USDM]["trades"]) == (0, 3)


def test_many_files_that_cannot_be_read_are_told_in_short(capsys, tmp_path):
    """The first ones, and how many more."""
    paths = [tmp_path / f"x{n}.csv" for n in range(8)]
    for n, path in enumerate(paths):
        path.write_text(f"a,b\n{n},2\n")
    assert lobforge("inspect", *paths) == 2
    told = capsys.readouterr().err
    assert "8 capture files" in told
    assert told.count("unknown_format") == 5
    assert "and 3 further files" in told


@pytest.mark.parametrize("folder", ["binance_raw", "bybit_v5_ws"])
def test_recorded_captures_keep_the_contract(capsys, market, folder):
    """The whole chain of each recorded venue, by its directory: valid JSON, no gap, nothing quarantined."""
    code, report = run(capsys, market / folder)
    assert (code, report["quarantined"]) == (0, [])
    assert len(report["instruments"]) == {"binance_raw": 2, "bybit_v5_ws": 6}[folder]
    assert all(not found["gaps"] and found["best_bid"] < found["best_ask"] for found in report["instruments"].values())
