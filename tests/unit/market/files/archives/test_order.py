"""One wrong time does not outweigh the right ones: what is read of a file whose rows are out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.market.days.replay import inspect
from ml.market.files.archives.order import Key, in_order, ordered
from ml.market.files.index import scan
from tests.support.scenario import capture, diff, snapshot
from tests.unit.market.files.archives.files import packed, refused, trade_rows
from tests.unit.market.files.archives.test_bybit import PERPETUAL, book, message
from tests.unit.market.files.archives.test_exploded import HEAD
from tests.unit.market.files.archives.test_exploded import T as EXPLODED
from tests.unit.market.files.archives.test_exploded import row as exploded

AGG = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
START = 1_698_796_800_000
LATER = 1_701_109_037_427
"""2023-11-01 and 2023-11-27, ms."""
USDM = "binance-usdm.BTCUSDT"
SECOND = 10**9


def agg(number, ms, price="34650.0"):
    return f"{number},{price},0.010,{number},{number},{ms},false\n"


def month(folder, *rows):
    return packed(folder / "um" / "BTCUSDT-aggTrades-2023-11.csv", AGG + "".join(rows))


def book_of_two_minutes(folder):
    diffs = [diff(n + 1, n, START + 1000 * n, bids=[("99.0", f"{n}.000")]) for n in range(1, 110)]
    return capture(folder / "book.log", [diffs[0], snapshot(2, START), *diffs[1:]], START + 5, step_ms=1000)


GOOD = [agg(1000 + n, START + 20_000 * n) for n in range(6)]


def test_a_row_of_another_date_that_its_id_confirms_is_read_at_its_time(tmp_path):
    """Its publisher wove it into the rows of the first day: in the order of ids nothing is odd."""
    path = month(tmp_path, *GOOD[:2], agg(9000, LATER), *GOOD[2:])
    assert refused(path) == []
    assert [trade.event_ts // 10**6 for trade in trade_rows(path)] == [*(START + 20_000 * n for n in range(6)), LATER]
    found = inspect([path])
    assert (found["instruments"][USDM]["trades"], found["quarantined"]) == (7, [])


def test_two_halves_of_a_month_woven_into_each_other_are_both_read(tmp_path):
    """As Binance published whole months, every other row of another week."""
    other = [agg(9000 + n, LATER + 7 * n) for n in range(6)]
    path = month(tmp_path, *(row for pair in zip(GOOD, other, strict=True) for row in pair))
    found = inspect([path])
    assert (found["instruments"][USDM]["trades"], found["quarantined"]) == (12, [])
    times = [trade.event_ts for trade in trade_rows(path)]
    assert times == sorted(times)


@pytest.mark.parametrize("beside_a_book", [False, True])
def test_a_row_of_another_date_whose_ids_contradict_each_other_is_quarantined_alone(tmp_path, beside_a_book):
    """Of 7 994 aggregated trades at least as many trades are missing, and its own ids say 3 994."""
    rows = [f"{1000 + n},34650.{n},0.010,{5000 + n},{5000 + n},{START + 20_000 * n},false\n" for n in range(6)]
    rows.insert(2, f"9000,37000.0,0.005,9000,9000,{LATER},false\n")
    files = [month(tmp_path, *rows)]
    if beside_a_book:
        files.append(book_of_two_minutes(tmp_path))
    report = inspect(files)
    (entry,) = report["quarantined"]
    assert (entry["reason"], entry["offset"]) == ("out_of_order", len(AGG) + len(rows[0]) + len(rows[1]))
    assert "its id 9000 with the first trade 9000 does not fit those of the rows around it" in entry["detail"]
    found = report["instruments"][USDM]
    assert (found["trades"], found["book_messages"], found["gaps"]) == (6, 109 if beside_a_book else 0, [])


def test_trades_may_be_missing_between_rows_and_an_old_row_may_name_no_trade(tmp_path):
    """Trade ids grow faster than those of aggregated trades; some rows of spot have -1 for their trades."""
    firsts = [5000, 5003, -1, 5009, 5010, 5050]
    rows = [f"{1000 + n},34650.0,0.010,{first},{first},{START + 20_000 * n},false\n" for n, first in enumerate(firsts)]
    path = month(tmp_path, *rows[3:], *rows[:3])
    assert (refused(path), len(trade_rows(path))) == ([], 6)


@pytest.mark.parametrize(
    ("place", "ms"),
    [(0, LATER), *((place, ms) for place in (3, 5) for ms in (LATER, 4 * 10**12, START - 86_400_000, 1))],
)
def test_a_wrong_time_is_quarantined_alone(tmp_path, place, ms):
    """Far ahead or far back, first, in the middle or last: its id does not confirm it."""
    rows = [*GOOD, agg(1006, START + 120_000)]
    rows.insert(place, agg(1000 + place, ms, "37000.0"))
    path = month(tmp_path, *rows)
    report = inspect([path])
    (entry,) = report["quarantined"]
    assert (entry["reason"], report["instruments"][USDM]["trades"]) == ("out_of_order", 7)
    assert entry["offset"] == len(AGG) + sum(map(len, rows[:place]))
    assert "does not fit those of the rows around it, 2023-11-01 00:0" in entry["detail"]


def test_trades_after_a_wrong_time_do_not_vanish_beside_a_captured_book(tmp_path):
    """They arrive where they belong among the frames of the book."""
    book_file = book_of_two_minutes(tmp_path)
    path = month(tmp_path, *GOOD[:2], agg(1001, LATER, "37000.0"), *GOOD[2:])
    report = inspect([book_file, path])
    assert [entry["reason"] for entry in report["quarantined"]] == ["out_of_order"]
    found = report["instruments"][USDM]
    assert (found["trades"], found["gaps"], found["last_event_ts"]) == (6, [], (START + 109_000) * 10**6)


def test_times_that_go_back_by_less_than_ten_seconds_are_late_and_no_more(tmp_path):
    """As in a stream."""
    path = month(tmp_path, agg(1, START), agg(2, START + 9_000), agg(3, START + 1_000), agg(4, START + 10_000))
    assert refused(path) == []
    assert [trade.trade_id for trade in trade_rows(path)] == ["agg-1", "agg-2", "agg-3", "agg-4"]


def test_a_wrong_time_in_a_file_in_any_order_moves_no_other_row(tmp_path):
    """A file that runs forward stays so, though its last time lies before its first."""
    ids = "abcdef"
    rows = [f"{1_585_180_700 + n // 2}.5,BTCUSDT,Buy,1,100,ZeroMinusTick,{ids[n]},1,1,1\n" for n in range(6)]
    rows[-1] = rows[-1].replace("1585180702.5", "1500000000.5")
    path = packed(tmp_path / "x.csv", PERPETUAL + "\n" + "".join(rows))
    assert [trade.trade_id for trade in trade_rows(path)] == ["f", "a", "b", "c", "d", "e"]


def test_a_book_message_with_a_wrong_time_is_a_gap_and_no_more(tmp_path):
    """Bybit's ids show that it is missing; a later snapshot makes the book known again."""
    odd = message(8, ts=2_000_000_000_000)
    later = [message(9), message(20, "snapshot", [("97", "1")], [("102", "1")]), message(21, bids=[("96", "1")])]
    report = inspect([book(tmp_path, odd, *later)])
    (entry,) = report["quarantined"]
    found = report["instruments"]["bybit-linear.BTCUSDT"]
    assert entry["reason"] == "out_of_order"
    assert [(gap["reason"], gap["from_id"], gap["to_id"]) for gap in found["gaps"]] == [("sequence_gap", 7, 8)]
    assert (found["best_bid"], found["bid_levels"]) == (97.0, 2)


def test_a_change_without_ids_at_a_wrong_time_makes_the_book_unknown(tmp_path):
    """Nothing else would show that a level is missing."""
    packed(tmp_path / "btcusd_20180424_snapshot_asks.csv", "side,price,size\nsell,101,1\n")
    packed(tmp_path / "btcusd_20180424_snapshot_bids.csv", "side,price,size\nbuy,99,1\n")
    rows = [f"buy,9{n},1,2018-04-24T03:5{n}:00.000Z\n" for n in range(5)]
    rows.insert(2, "buy,98,1,2019-04-24T03:52:00.000Z\n")
    packed(tmp_path / "btcusd_20180424_l2update.csv", "side,price,size,time\n" + "".join(rows))
    report = inspect(sorted(tmp_path.iterdir()))
    found = report["instruments"]["coinbase-spot.BTC-USD"]
    (entry,) = report["quarantined"]
    assert (entry["reason"], "does not fit those of the rows around it" in entry["detail"]) == ("bad_frame", True)
    assert [(gap["reason"], gap["end"]) for gap in found["gaps"]] == [("bad_frame", None)]
    assert found["last_event_ts"] == 1_524_542_040 * SECOND


@pytest.mark.parametrize("kind", ["trades", "incremental_book_L2"])
def test_one_wrong_time_of_receipt_does_not_delay_what_follows(tmp_path, kind):
    """Tardis keeps both clocks, and the one by which rows are ordered may be wrong too."""
    columns = {"trades": "id,side,price,amount", "incremental_book_L2": "is_snapshot,side,price,amount"}[kind]
    cells = {"trades": "{},buy,100,1", "incremental_book_L2": "false,bid,9{},1"}[kind]
    head = f"exchange,symbol,timestamp,local_timestamp,{columns}\n"
    local = [START + 1000 * n for n in range(6)]
    local[2] = LATER
    rows = [
        f"binance-futures,BTCUSDT,{(START + 1000 * n) * 1000},{at * 1000 + 5},{cells.format(n)}\n"
        for n, at in enumerate(local)
    ]
    path = packed(tmp_path / "x.csv", head + "".join(rows))
    assert scan(path)[0].last_recv < LATER * 10**6
    ((entry, *_), found) = (inspect([path])["quarantined"], inspect([path])["instruments"][USDM])
    assert "does not fit those of the rows around it" in entry["detail"]
    assert (entry["reason"], found["trades"]) == (("out_of_order", 5) if kind == "trades" else ("bad_frame", 0))


def test_a_level_with_a_wrong_time_is_not_left_out_of_its_diff(tmp_path):
    """Its ids follow, so nothing would show that a level is missing: the diff is quarantined whole."""
    odd = exploded(3, 2, 0, 97, 1).replace(f"{EXPLODED + 3 + 9},", f"{LATER},", 1)
    rows = exploded(2, 1, 0, 99, 1) + exploded(3, 2, 0, 98, 4) + odd + exploded(3, 2, 1, 102, 4)
    path = packed(tmp_path / "x.csv", HEAD + "\n" + rows + exploded(4, 3, 0, 97, 1))
    before = capture(tmp_path / "a.log", [diff(1, 0, EXPLODED), snapshot(1, EXPLODED)], start_ms=EXPLODED, step_ms=1)
    report = inspect([path, before])
    assert [entry["offset"] for entry in report["quarantined"]] == [len(HEAD) + 1 + len(exploded(2, 1, 0, 99, 1))]
    assert [(gap["from_id"], gap["to_id"]) for gap in report["instruments"][USDM]["gaps"]] == [(2, 3)]


def test_the_order_of_a_torn_file_is_that_of_what_it_holds(tmp_path):
    """With the tear behind it."""
    path = month(tmp_path, *GOOD[3:], *GOOD[:3]).rename(tmp_path / "BTCUSDT-aggTrades-2023-11.csv.gz")
    packed(path, path.read_text())
    path.write_bytes(path.read_bytes()[:-6])
    index, lines = scan(path)
    assert [line.error.reason for line in lines] == ["truncated"]
    assert index.instruments[USDM].frames >= 6


TIMES = st.integers(START, START + 10**9)


@given(st.lists(TIMES, min_size=1, max_size=60), st.data())
def test_no_more_rows_are_odd_than_have_a_wrong_time(times, data):
    """Whatever the wrong times are and wherever they stand; every row is read once."""
    right = sorted(times)
    wrong = data.draw(st.sets(st.integers(0, len(right) - 1), max_size=len(right)))
    keys = [Key((data.draw(st.integers(0, 2 * START)) if k in wrong else at) * 10**6, k) for k, at in enumerate(right)]
    shuffled = data.draw(st.permutations(keys))
    order = ordered(shuffled, by_time=False)
    assert sorted(order.rows.tolist()) == list(range(len(keys)))
    assert [shuffled[k].number for k in order.rows] == list(range(len(keys)))
    assert len(order.odd) <= len(wrong)
    assert in_order([shuffled[k] for k in order.rows if k not in order.odd], late_ns=20 * SECOND)


@given(st.lists(st.integers(-1, 50), max_size=40), st.booleans())
def test_in_the_order_of_time_nothing_is_odd(stamps, descending):
    """Times that cannot be read are left to the reader; rows of one time keep their order."""
    given = sorted(stamps, reverse=descending)
    order = ordered([Key(stamp) for stamp in given], by_time=True)
    assert order.odd == {}
    assert [given[k] for k in order.rows] == sorted(stamps)
