"""The live runner gives the cues that a scan of the same frames gives, and that a stored day gives."""

import polars as pl
import pytest

from live.runner import Counts, Runner
from ml.layering import days
from ml.layering.calibration import Calibration
from ml.layering.detector import Detector
from ml.layering.features import NAMES
from ml.layering.scan import scan
from ml.market.days.day import Decoding
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.raw import raw_day
from ml.market.days.samples import tail
from tests.support.layered import ASK, BID, START, Script, frames, layered, stump, write
from tests.support.scenario import chain_of

MODEL = stump("layers", 1.5, -50, 50)
"""Every cluster of two lots or more is a cue."""


def capture(folder, start, name="sim__simusdt.jsonl", last_id=0):
    """Layers on both sides, some of them pulled one by one."""
    script = layered(90, start=start, size=1_000)
    for k in range(4):
        script.order(-1, ASK + 4 + k, 150 + k, 74_000, 76_000 + 500 * k)
        script.order(1, BID - 4 - k, 120, 80_000 + 50 * k, 84_000)
    return write(folder / name, frames(script, last_id=last_id))


@pytest.mark.parametrize("start", [START, START - 70 * 10**9], ids=["within a day", "across midnight"])
def test_live_batch_and_stored_day_agree_in_every_field(tmp_path, monkeypatch, start):
    """Frame by frame, many at once, and from the stored tables, whose S comes from the samples before the day."""
    path = capture(tmp_path, start)
    chain = chain_of(path)
    instrument = infer_instrument(chain, "sim.SIMUSDT")
    scanned = scan([path], model=MODEL)["instruments"][instrument.id]
    batch = scanned["cues"]
    assert len(batch) >= 3
    assert scanned["warnings"]

    runner = Runner(instrument, None, cues=Detector(instrument, MODEL, Calibration(0.5, 2.0, "simulator")))
    rows = list(runner.stream(chain))
    assert [row["cue"] for row in rows if "cue" in row] == batch
    assert [row["warning"] for row in rows if "warning" in row] == scanned["warnings"]
    counts = Counts()
    for row in rows:
        counts.take(row)
    assert counts.cues == len(batch)

    monkeypatch.setattr("ml.layering.detector.load", lambda: MODEL)
    raw = list(raw_day(chain, instrument, "2025-03-03"))
    decoding = Decoding(raw, instrument, "2025-03-03")
    events = list(decoding.book_events())
    before = tail(raw[0], instrument, "2025-03-03")
    stored = days.cues_of_day(events, decoding.trades, before, instrument)
    assert stored["id"].to_list() == [cue["id"] for cue in batch]
    for name in NAMES:
        assert stored[name].to_list() == [cue["features"][name] for cue in batch]
    assert stored.select(pl.col("score", "score_low", "score_high")).rows() == [
        (cue["score"], cue["verdict_band"]["low"], cue["verdict_band"]["high"]) for cue in batch
    ]


def live(chain):
    """The cues of a runner that has seen nothing before."""
    instrument = infer_instrument(chain, "sim.SIMUSDT")
    runner = Runner(instrument, None, cues=Detector(instrument, MODEL, Calibration(0.5, 2.0, "simulator")))
    return [row["cue"] for row in runner.stream(chain) if "cue" in row]


def test_a_restart_in_between_gives_the_cues_of_the_batch(tmp_path):
    """The runner that is started again knows nothing of before, and neither does the batch after the lost frames."""
    first = capture(tmp_path, START, "sim__simusdt_1.jsonl")
    second = capture(tmp_path, START + 200 * 10**9, "sim__simusdt_2.jsonl", last_id=1_000_000)
    batch = scan([first, second], model=MODEL)["instruments"]["sim.SIMUSDT"]["cues"]
    assert live(chain_of(first)) + live(chain_of(second)) == batch
    assert {cue["end"] > START + 200 * 10**9 for cue in batch} == {True, False}


def test_a_stored_day_without_trades_has_no_cues(tmp_path, monkeypatch):
    """A cancellation cannot be told from a trade there: the scan says so, and the table stays empty."""
    path = write(tmp_path / "sim__simusdt.jsonl", frames(layered(90), trades=False))
    chain = chain_of(path)
    instrument = infer_instrument(chain, "sim.SIMUSDT")
    monkeypatch.setattr("ml.layering.detector.load", lambda: MODEL)
    decoding = Decoding(list(raw_day(chain, instrument, "2025-03-03")), instrument, "2025-03-03")
    events = list(decoding.book_events())
    before = tail(next(iter(raw_day(chain, instrument, "2025-03-03"))), instrument, "2025-03-03")
    assert days.cues_of_day(events, decoding.trades, before, instrument).is_empty()


def test_layers_are_warned_of_before_they_are_pulled(tmp_path):
    """While they stand, once they hold twenty best sizes."""
    path = write(tmp_path / "sim__simusdt.jsonl", frames(layered(90, size=1_000)))
    found = scan([path], model=MODEL)["instruments"]["sim.SIMUSDT"]
    (cue,) = found["cues"]
    warned = [one for one in found["warnings"] if one["side"] == cue["side"]]
    assert [(one["start"], one["layers"]) for one in warned] == [(cue["start"], 3)]
    assert cue["start"] < warned[0]["ts"] < cue["first_pull"]
    assert 29 < warned[0]["score"] < 31


def test_a_single_order_is_not_warned_of(tmp_path):
    """However large it is."""
    script = Script(90)
    script.order(-1, ASK + 3, 5_000, 70_000, 72_000)
    path = write(tmp_path / "sim__simusdt.jsonl", frames(script))
    assert scan([path], model=MODEL)["instruments"]["sim.SIMUSDT"]["warnings"] == []
