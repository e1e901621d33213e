"""When trades were captured: of a capture without any, of archives without a book, of losses and missing ids."""

import json
from functools import cached_property

import polars as pl
import pytest

from ml.candles.from_trades import from_trades, kinds
from ml.core.instruments import Instrument
from ml.core.time import bounds
from ml.evaluation.parity import replay
from ml.features.tick.build import build
from ml.features.tick.table import FEATURES
from ml.market.days.samples import sample_captures, tail
from ml.market.days.tables import samples_array
from ml.tables.schemas import FROM_TRADES, SCHEMAS, NullReason
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.scenario import USDM, chain_of, diff, snapshot, trade
from tests.unit.market.files.archives.files import packed

T = 1_741_046_400_000
"""2025-03-04 00:00 UTC, ms."""
DATE = "2025-03-04"
BTC = Instrument(USDM, 1, 3, 1, 1)
VISION = "BTCUSDT-trades-2025-03-04.csv"
PERPETUAL = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"


class Day:
    """Everything that follows from the captures of a day."""

    def __init__(self, chain, instrument=BTC, date=DATE):
        self.raw = raw_day(chain, instrument, date)
        self.decoded = decode_day(self.raw, instrument, date)
        tables = (self.decoded.book_events, self.decoded.trades, self.decoded.validity)
        self.samples = sample_day(self.raw, *tables, instrument, date)
        self.captured = self.decoded.trade_validity
        self.candles = from_trades(self.decoded.trades, self.captured, *bounds(date))
        self.instrument = instrument
        self.date = date
        assert sample_captures(chain, instrument, date).samples.equals(self.samples)

    @cached_property
    def features(self):
        """The features of the day."""
        return build(samples_array(self.samples), tail(self.raw, self.instrument, self.date), self.instrument)

    @cached_property
    def parity(self):
        """What the live path makes of the same frames."""
        return replay([[self.raw]], self.features, self.instrument)

    def reasons(self):
        return dict(kinds(self.candles).iter_rows())


def book(seconds, start=1, skipped=()):
    """Diffs twice a second, a snapshot behind the first; as capture lines with their time."""
    docs = []
    for k in range(2 * seconds):
        bids = [["99.0", f"{1 + k % 5}.000"]]
        if k not in skipped:
            docs.append((T + 500 * k, diff(start + k, start + k - 1, T + 500 * k, bids)))
        if k == 0:
            levels = [[(f"{99 + side * k}.0", f"{k}.500") for k in range(1, 5)] for side in (-1, 1)]
            docs.append((T + 1, snapshot(start, T, *levels)))
    return docs


def written(folder, docs):
    """A capture of frames (ms, document), by time, as our own capture writes it."""
    rows = [
        (0, "binance-usdm wss://x?symbol=BTCUSDT", ms * 10**6, json.dumps(doc, separators=(",", ":")).encode())
        for ms, doc in sorted(docs, key=lambda pair: pair[0])
    ]
    path = folder / "captured.parquet"
    pl.DataFrame(rows, schema=SCHEMAS["captures"], orient="row").write_parquet(path)
    return chain_of(path)


def trade_rows(*numbers, every=1_000):
    """A trade per second by these ids, from the first second on."""
    return [(T + every * number, trade(number, T + every * number)) for number in numbers]


def test_without_a_trade_stream_what_needs_trades_is_null_and_the_book_is_not(tmp_path):
    """Unknown is not zero: neither candles nor flows nor features know of a quiet market."""
    day = Day(written(tmp_path, book(200)))
    assert day.captured.select("end_reason").item() == "no_trades_captured"
    assert day.captured["end_ts"].item() == day.captured["start_ts"].item()
    assert day.reasons() == {"no_trades_captured": 1_440}
    assert day.samples.select(pl.col(FROM_TRADES).is_null().all()).row(0) == (True,) * len(FROM_TRADES)
    last = day.features[-1]
    short = [feature for feature in FEATURES if feature.needs <= 60]
    assert {f.id: last[f.id].item() is None for f in short} == {f.id: f.trades for f in short}
    assert last["null_reason_flow"].item() == NullReason.NO_TRADES_CAPTURED
    assert (day.parity.mismatches, day.parity.rows) == (0, day.features.height)


def test_a_quiet_market_on_a_captured_stream_is_known(tmp_path):
    """Two trades in six minutes: the minutes between are quiet, and features say that nobody traded."""
    docs = [*book(400), *trade_rows(1, 2), *[(T + 390_000, trade(3, T + 390_000))]]
    day = Day(written(tmp_path, docs))
    assert day.candles["n_trades"][1:6].to_list() == [0] * 5
    assert day.reasons() == {"quiet": 5, "capture_end": 1_434, "not_captured": 1}
    assert day.features["trade_rate_60s"][300] == 0.0
    assert day.parity.mismatches == 0


def test_ids_that_leave_trades_out_end_what_is_known(tmp_path):
    """The minutes from the trade before to the trade after are not known, and no other."""
    docs = [*book(600), *trade_rows(*range(1, 150), *range(200, 590))]
    day = Day(written(tmp_path, docs))
    spans = day.captured.select("start_ts", "end_ts", "from_id", "to_id", "end_reason").rows()
    assert [span[1:] for span in spans] == [
        ((T + 149_000) * 10**6, 149, 199, "sequence_gap"),
        ((T + 599_500) * 10**6, None, None, "capture_end"),
    ]
    assert day.candles["reason"][:6].to_list() == ["not_captured", None, "sequence_gap", "sequence_gap", None, None]
    assert day.decoded.validity.height == 1, "the book goes on"
    assert day.parity.mismatches == 0


@pytest.mark.parametrize("note", [{}, {"books": False, "trades": True}])
def test_a_lost_connection_ends_what_is_known_of_trades(tmp_path, note):
    """From the last trade before the note to the first one after it, whatever the ids say."""
    loss = (T + 100_400, {"loss": "reconnect", "symbol": "BTCUSDT"} | note)
    again = [(T + 1_000 * k, trade(k - 30, T + 1_000 * k)) for k in range(130, 290)]
    day = Day(written(tmp_path, [*book(300), *trade_rows(*range(1, 100)), loss, *again]))
    first, second = day.captured.rows(named=True)[:2]
    assert (first["end_ts"], second["start_ts"]) == ((T + 99_000) * 10**6, (T + 130_000) * 10**6)
    assert first["end_reason"] == "reconnect"
    assert day.candles["reason"][1:4].to_list() == ["reconnect", "reconnect", None]
    assert day.parity.mismatches == 0


def vision(*rows):
    """Rows (second of the day, id) of a Binance Vision file of trades."""
    return "".join(f"{number},100.0,0.010,1.0,{T + int(second * 1_000)},true\n" for second, number in rows)


EVERY_MINUTE = [(20 + 60 * k, k + 1) for k in range(1_440)]


def test_a_file_of_all_trades_of_a_day_makes_every_minute_known(tmp_path):
    """From the first to the last, though no book was captured; live gives the rows that the batch gives."""
    day = Day(chain_of(packed(tmp_path / "um" / f"{VISION.removesuffix('.csv')}.zip", vision(*EVERY_MINUTE))))
    assert day.reasons() == {"traded": 1_440}
    assert day.captured.select("start_ts", "end_ts", "end_reason").rows() == [(*bounds(DATE), None)]
    assert day.samples["valid"].sum() == 0
    assert (day.parity.mismatches, day.parity.rows) == (0, day.features.height)


def test_an_id_that_is_missing_in_the_file_and_a_torn_file_are_not_known(tmp_path):
    """Two hours without a trade are quiet where the ids go on; where they do not, the time between is not known."""
    kept = [row for row in EVERY_MINUTE if not 300 <= row[1] < 420]
    renumbered = [(second, number if number < 300 else number - 120) for second, number in kept]
    quiet = Day(chain_of(packed(tmp_path / "a" / "um" / VISION, vision(*renumbered))))
    assert quiet.reasons() == {"quiet": 120, "traded": 1_320}
    lost = Day(chain_of(packed(tmp_path / "b" / "um" / VISION, vision(*kept))))
    assert lost.reasons() == {"sequence_gap": 122, "traded": 1_318}
    assert lost.captured.select("from_id", "to_id").row(0) == (299, 419)


def test_a_row_of_another_date_does_not_vouch_for_that_date(tmp_path):
    """A file holds every trade of the dates in its name alone."""
    strayed = vision(*EVERY_MINUTE) + vision((86_400 + 30, 1_441))
    day = Day(chain_of(packed(tmp_path / "um" / VISION, strayed)), date="2025-03-05")
    assert day.reasons() == {"capture_end": 1_440}


def perpetual(seconds, symbol="BTCUSDT"):
    """A Bybit file of trades, newest first, as many of them are."""
    rows = [f"{T // 1_000 + s},{symbol},Buy,0.01,100.0,ZeroPlusTick,{s:08x},1,1,1" for s in reversed(seconds)]
    return "\n".join([PERPETUAL, *rows]) + "\n"


def test_bybit_names_trades_at_random_so_its_file_vouches_for_the_day(tmp_path):
    """Every minute is known; a row that cannot be read makes the time around it unknown."""
    instrument = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
    seconds = [20 + 60 * k for k in range(1_440)]
    text = perpetual(seconds)
    whole = Day(chain_of(packed(tmp_path / "a" / "BTCUSDT2025-03-04.csv.gz", text)), instrument)
    assert whole.reasons() == {"traded": 1_440}
    assert (whole.parity.mismatches, whole.parity.rows) == (0, whole.features.height)
    spoilt = text.replace(
        f"{T // 1_000 + seconds[700]},BTCUSDT,Buy,0.01,", f"{T // 1_000 + seconds[700]},BTCUSDT,Buy,x,"
    )
    torn = Day(chain_of(packed(tmp_path / "b" / "BTCUSDT2025-03-04.csv.gz", spoilt)), instrument)
    assert torn.reasons() == {"bad_frame": 3, "traded": 1_437}
