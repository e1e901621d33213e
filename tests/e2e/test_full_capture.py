"""`lobforge capture --mode FULL` beside a promoted model: it speaks, is silent over a gap, and equals a replay."""

import json
import threading
import time
from datetime import date
from types import SimpleNamespace

import pytest

from live.runner import Runner, promoted
from ml.core import config
from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.feature_store.latest import newest
from ml.learning.candidate import train
from ml.learning.experiment import DEFAULT
from ml.learning.models.trained import load
from ml.storage.commit import read
from ml.storage.durable import write_text
from tests.integration.live.test_runner import register
from tests.support.emulator.running import Running, flows, until
from tests.support.emulator.server import Emulator
from tests.support.panels import rows, tuned
from tests.support.scenario import chain_of

INSTRUMENT = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
SPOKEN = 10
AFTERWARDS = 5
"""Directions that are waited for before the fault, and rows after it."""


@pytest.fixture(scope="module")
def serving(tmp_path_factory) -> DataRoot:
    """A data root with a champion, and an instrument of an emulated venue; no code was ever compiled for it."""
    root = DataRoot(tmp_path_factory.mktemp("full") / "data")
    write_text(root.config, config.render(Config(root.captures, date(2025, 3, 3), None, (INSTRUMENT,))))
    register(root, load(root.model(train(root, rows(2_000), DEFAULT, None, tuned(), 1))), "promote")
    return root


@pytest.fixture(scope="module")
def said(serving) -> SimpleNamespace:
    """What a capture said until it had spoken and a book frame was lost, when that was, and the summary."""
    lost = list[int]()
    rows = list[dict]()

    def tap(_: str, frame: str) -> list[str]:
        if lost or "orderbook" not in frame:
            return [frame]
        lost.append(time.time_ns())
        return []

    venue = "bybit-linear"
    with Emulator(venue, ["BTCUSDT"]) as emulator, Running(serving, venue, emulator, "--mode", "FULL") as running:
        listening = threading.Thread(target=lambda: rows.extend(map(json.loads, running.process.stdout)))
        listening.start()
        until(lambda: sum("direction" in row for row in rows) >= SPOKEN, 600)
        emulator.tap = tap
        until(lambda: bool(lost))
        until(lambda: sum(row["ts"] > lost[0] for row in rows) >= AFTERWARDS)
        flows(emulator)
        running.process.terminate()
        listening.join(60)
        error = running.process.stderr.read()
    signals = [row for row in rows[:-1] if "cue" not in row]
    return SimpleNamespace(rows=signals, summary=rows[-1], lost=lost[0], error=error)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_promoted_model_speaks_once_it_is_warm(serving, said):
    """One row per second: withheld while it warms up, then directions with their age; the capture itself is clean."""
    summary = said.summary
    counted = {name: summary[name] for name in ("overflows", "signal_failure", "breaks", "renewals", "reconnects")}
    # the lost frame renewed a subscription; no line fell silent while code was compiled
    expected = {"overflows": 0, "signal_failure": "", "breaks": 1, "renewals": 1, "reconnects": 0}
    assert counted == expected, said.error
    assert [b["ts"] - a["ts"] for a, b in zip(said.rows, said.rows[1:], strict=False)] == [10**9] * (len(said.rows) - 1)
    assert {row["model"] for row in said.rows} == {promoted(serving, "champion").id}
    spoken = [row for row in said.rows if "direction" in row]
    assert len(spoken) >= SPOKEN
    assert all(abs(sum(row["probabilities"]) - 1) < 1e-5 and row["data_age_ms"] > 0 for row in spoken)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_nothing_is_said_over_a_gap(said):
    """From the lost frame on every row is withheld with its reason: the book is unknown, then it warms up again."""
    after = [row for row in said.rows if row["ts"] > said.lost]
    assert len(after) >= AFTERWARDS
    assert {row.get("withheld") for row in after} <= {"invalid_book", "warm_up"}
    assert any("direction" in row for row in said.rows if row["ts"] < said.lost)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_replay_of_the_capture_says_the_same(serving, said):
    """Frame by frame from the sealed file, losses included."""
    runner = Runner(INSTRUMENT, promoted(serving, "champion"))
    replayed = list(runner.stream(chain_of(*serving.captures.glob("*.parquet"))))
    keys = ("ts", "withheld", "direction", "probabilities", "valid_until")
    assert [[row.get(k) for k in keys] for row in replayed] == [[row.get(k) for k in keys] for row in said.rows]


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_what_was_said_is_in_the_log(serving, said):
    """Every second once, with its model, its class or its reason; sealed with the capture."""
    logged = read(next(serving.table("prediction_log").iterdir())).collect()
    assert said.summary["predictions_dropped"] == 0
    assert logged["ts"].to_list() == [row["ts"] for row in said.rows]
    assert logged["reason"].to_list() == [row.get("withheld") for row in said.rows]
    names = {0: "down", 1: "neutral", 2: "up", None: None}
    assert [names[code] for code in logged["predicted"]] == [row.get("direction") for row in said.rows]
    assert set(logged["version"]) == {"1"}


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_another_program_finds_the_last_row(serving, said):
    """In the online store, long after the capture has ended: it says how old it is."""
    row = newest(serving, INSTRUMENT.id)
    assert row.ts == said.rows[-1]["ts"]
    assert row.age() > 0
