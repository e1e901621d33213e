"""Signals: one per step and instrument, never an old one as if it were fresh, and none lost by a slow database."""

import asyncio
import sqlite3
import threading
from itertools import pairwise
from time import monotonic, sleep, time_ns

import msgspec
import numpy as np
import pytest

from live.predictions import PredictResponse
from live.signal_server import Options, Service
from live.signal_table import SignalTable, default_url
from live.signals import NOT_RUNNING, Missed, Signal, Signals, hummingbot
from live.sinks import Listeners, Stored
from ml.core.config import render
from ml.core.errors import SettingsError, StoreError
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.feature_store.latest import NewestWriter
from ml.features.sets import WHOLE
from ml.features.tick.table import FAMILIES
from ml.storage.durable import write_text
from pipelines.demo import default_config
from tests.support import lives
from tests.support.scenario import INSTRUMENT

OTHER = "sim.OTHER"
BEGIN = 1_700_000_000 * SECOND


class Predictor:
    """Says up of every row."""

    def of_row(self, experiment, row):
        ends = row.ts + 10 * SECOND
        answer = (row.instrument, row.ts, 0.0, ends, "up", [0.1, 0.3, 0.6], None)
        return PredictResponse(*answer, experiment, "m", "1", "champion", "set", 10)


class Kept:
    """A sink that remembers."""

    def __init__(self):
        self.signals, self.missed = [], []

    def put(self, signal):
        self.signals.append(signal)

    def miss(self, missed):
        self.missed.append(missed)


class Play:
    """Signals with steps of a second and a minute over a clock that a test sets."""

    def __init__(self, root, before=None, steps=None):
        self.root = root
        self.now = BEGIN
        self.kept = Kept()
        steps = steps or {"second": 1}
        self.signals = Signals(root, Predictor(), steps, [self.kept], before or {}, 5.0, lambda: self.now)

    def row(self, instrument, ts):
        writer = NewestWriter(self.root, instrument, ("s", "h"), ["a"], ["book"])
        writer.put(ts, ts, np.zeros(1), np.zeros(1, np.uint8))

    def at(self, seconds, *rows):
        """Let the clock show so many seconds after the beginning; rows come as (instrument, seconds)."""
        self.now = BEGIN + int(seconds * SECOND)
        for instrument, ts in rows:
            self.row(instrument, BEGIN + ts * SECOND)
        self.signals.look()

    def made(self, instrument=INSTRUMENT.id, experiment="second"):
        found = [one for one in self.kept.signals if (one.instrument, one.experiment) == (instrument, experiment)]
        return [((one.ts - BEGIN) // SECOND, one.withheld) for one in found]


@pytest.fixture
def play(tmp_path):
    return Play(DataRoot(tmp_path))


def test_each_row_gives_one_signal(play):
    """Looking again makes no other one; its id names experiment, instrument and time."""
    for second in range(1, 4):
        play.at(second + 0.01, (INSTRUMENT.id, second))
        play.at(second + 0.02)
    assert play.made() == [(1, None), (2, None), (3, None)]
    first = play.kept.signals[0]
    assert first.id == f"second/{INSTRUMENT.id}/{BEGIN + SECOND}"
    assert (first.direction, first.size, first.data_age_ms) == ("up", 0.5, 10.0)
    assert first.valid_until == first.ts + 10 * SECOND


def test_a_row_that_does_not_come_is_withheld_in_time_and_the_others_go_on(play):
    """One instrument ends: each of its steps is withheld five seconds later, the other's signals are there."""
    play.at(1.01, (INSTRUMENT.id, 1), (OTHER, 1))
    for second in range(2, 10):
        play.at(second + 0.01, (INSTRUMENT.id, second))
    assert play.made() == [(second, None) for second in range(1, 10)]
    assert play.made(OTHER) == [(1, None), (2, "stale"), (3, "stale"), (4, "stale")]
    assert all(one.direction is one.probabilities is None for one in play.kept.signals if one.withheld)


def test_a_late_row_is_not_told_as_fresh(play):
    """It comes six seconds after its second: that step is withheld, and stays so."""
    play.at(1.01, (INSTRUMENT.id, 1))
    play.at(8.0, (INSTRUMENT.id, 2))
    play.at(8.5, (INSTRUMENT.id, 8))
    assert play.made() == [(1, None), (3, "stale"), (8, None)]
    assert [(m.first_ts, m.last_ts) for m in play.kept.missed] == [
        (BEGIN + 2 * SECOND, BEGIN + 2 * SECOND),
        (BEGIN + 4 * SECOND, BEGIN + 7 * SECOND),
    ]


def test_an_experiment_has_its_own_step(tmp_path):
    """A minute's model speaks at the full minute alone, about the row of that very second."""
    play = Play(DataRoot(tmp_path), steps={"second": 1, "minute": 60})
    begin = 60 - BEGIN // SECOND % 60
    for second in range(begin - 2, begin + 63):
        play.at(second + 0.01, (INSTRUMENT.id, second))
    assert play.made(experiment="minute") == [(begin, None), (begin + 60, None)]
    assert len(play.made()) == 65


def test_after_a_pause_what_passed_is_on_record_as_missed(tmp_path):
    """Nothing ran for a minute: one interval says so, and the next signal is that of now."""
    before = {("second", INSTRUMENT.id): BEGIN}
    play = Play(DataRoot(tmp_path), before)
    play.at(60.01, (INSTRUMENT.id, 60))
    assert play.made() == [(60, None)]
    assert play.kept.missed == [Missed("second", INSTRUMENT.id, BEGIN + SECOND, BEGIN + 59 * SECOND, NOT_RUNNING)]


def test_every_step_is_a_signal_or_missed_once(tmp_path):
    """Whatever comes when: steps are in order, none twice, none left out."""
    rng = np.random.default_rng(7)
    play = Play(DataRoot(tmp_path))
    now, newest = 0.0, 0
    play.at(0.0, (INSTRUMENT.id, 0))
    for _ in range(300):
        now += float(rng.choice([0.01, 0.4, 1.0, 3.0, 9.0], p=[0.3, 0.3, 0.3, 0.05, 0.05]))
        newest = int(rng.integers(newest, int(now) + 1))
        play.at(now, *([(INSTRUMENT.id, newest)] if rng.random() < 0.8 else []))
    kept = play.kept
    steps = [one.ts for one in kept.signals]
    for missed in kept.missed:
        steps += range(missed.first_ts, missed.last_ts + 1, SECOND)
    steps.sort()
    assert {b - a for a, b in pairwise(steps)} == {SECOND}
    assert any(one.withheld is None for one in kept.signals)
    assert kept.missed


def a_signal(ts, **changes):
    named = {"id": f"e/i/{ts}", "experiment": "e", "instrument": "venue.BTC-USDT", "ts": ts, "issued_at": ts + 5}
    named |= {"valid_until": ts + 10, "data_age_ms": 0.1, "direction": "up", "probabilities": (0.1, 0.3, 0.6)}
    named |= {"size": 0.5, "withheld": None, "model": "m", "version": "1", "role": "champion", "feature_set": "s"}
    return Signal(**(named | changes))


def test_the_database_keeps_each_signal_once(tmp_path):
    """Also by a second process; the newest is what the next start goes on from."""
    root = DataRoot(tmp_path)
    table, again = SignalTable(default_url(root)), SignalTable(default_url(root))
    withheld = a_signal(3, withheld="stale", probabilities=None, direction=None)
    for one in (table, again):
        one.write([a_signal(1), withheld, Missed("e", "venue.BTC-USDT", 2, 2, NOT_RUNNING)])
    with sqlite3.connect(root.meta / "signals.sqlite") as connection:
        rows = connection.execute("select ts, p_up, withheld from signals order by ts").fetchall()
        assert rows == [(1, 0.6, None), (3, None, "stale")]
        assert connection.execute("select count(*) from missed_signals").fetchone() == (1,)
    assert again.newest() == {("e", "venue.BTC-USDT"): 3}


def test_first_starts_at_once_make_one_schema(tmp_path):
    """Eight of them: none fails."""
    url = default_url(DataRoot(tmp_path))
    failed = []

    def start():
        try:
            SignalTable(url).write([a_signal(1)])
        except (SettingsError, StoreError) as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert SignalTable(url).newest() == {("e", "venue.BTC-USDT"): 1}


def test_a_database_that_cannot_be_reached_is_said_without_its_password():
    with pytest.raises(SettingsError, match=r"postgresql\+psycopg2://ann:\*\*\*@127\.0\.0\.1:9/x") as caught:
        SignalTable("postgresql+psycopg2://ann:secret@127.0.0.1:9/x")
    assert "secret" not in str(caught.value)


class Failing:
    """A store that fails so many times."""

    def __init__(self, times):
        self.times, self.kept = times, []

    def write(self, rows):
        if self.times > 0:
            self.times -= 1
            raise StoreError("the database is away")
        self.kept += rows


def test_a_store_that_fails_is_tried_again_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr("live.sinks.FIRST_PAUSE", 0.01)
    store = Failing(3)
    sink = Stored(store)
    for ts in range(2_500):
        sink.put(a_signal(ts))
    assert sink.close(20) == 0
    assert [one.ts for one in store.kept] == list(range(2_500))
    assert (sink.failures, sink.dropped) == (3, 0)


def test_a_store_that_stays_away_costs_the_oldest_and_delays_nothing(monkeypatch):
    monkeypatch.setattr("live.sinks.MOST_WAITING", 100)
    sink = Stored(Failing(10**9))
    begun = monotonic()
    for ts in range(150):
        sink.put(a_signal(ts))
    assert monotonic() - begun < 5
    assert sink.close(0.2) == 100
    assert sink.dropped == 50


def test_a_listener_that_does_not_read_is_cut_off(monkeypatch):
    monkeypatch.setattr("live.sinks.MOST_UNREAD", 3)

    async def run():
        listeners = Listeners()
        with listeners.listening() as slow, listeners.listening() as quick:
            found = []
            for ts in range(6):
                listeners.put(a_signal(ts))
                found.append((await quick.get()).ts)
            return found, [slow.get_nowait() for _ in range(slow.qsize())]

    quick, slow = asyncio.run(run())
    assert quick == list(range(6))
    assert [one and one.ts for one in slow] == [0, 1, 2, None]


def test_hummingbot_has_its_topic_and_body():
    """Probabilities of short, neutral, long and seconds; nothing of a signal that is withheld."""
    assert hummingbot(a_signal(2 * SECOND)) == {
        "topic": "hbot/predictions/btc_usdt/ML_SIGNALS",
        "body": {"probabilities": [0.1, 0.3, 0.6], "target_pct": 0.0, "timestamp": 2.0},
        "id": f"e/i/{2 * SECOND}",
    }
    assert hummingbot(a_signal(1, withheld="stale", probabilities=None, direction=None)) is None


@pytest.fixture
def root(tmp_path):
    found = DataRoot(tmp_path)
    write_text(found.config, render(default_config()))
    return found


def test_the_promoted_model_speaks_each_second_and_the_next_one_after_its_promotion(root):
    """From rows in the online store to the database, with a champion that changes meanwhile."""
    models = [lives.trained(0.8, seed) for seed in (2, 3)]
    registry = lives.registered(root, models)
    registry.promote("1", None, "ann", "the first", override=True)
    service = Service(root, Options((), default_url(root)))
    writer = NewestWriter(root, INSTRUMENT.id, (WHOLE.name, WHOLE.hash), WHOLE.columns, FAMILIES)
    values, reasons = np.zeros(len(WHOLE.columns)), np.zeros(len(FAMILIES), np.uint8)

    def rows():
        for k in range(6):
            ts = time_ns() // SECOND * SECOND
            writer.put(ts, ts, values, reasons)
            if k == 2:
                registry.promote("2", models[0].id, "ann", "better", override=True)
            sleep(1)

    async def run():
        async with service.running():
            await asyncio.to_thread(rows)

    asyncio.run(run())
    assert service.stored.close() == 0
    stored = _stored(root)
    signals = [one for one in stored if one["withheld"] is None]
    assert len(signals) >= 4, stored
    assert [one["version"] for one in signals] == sorted(one["version"] for one in signals)
    assert {one["version"] for one in signals} == {"1", "2"}
    assert all(abs(one["p_down"] + one["p_neutral"] + one["p_up"] - 1) < 1e-9 for one in signals)
    assert msgspec.to_builtins(service.signals.newest["base_35_10s", INSTRUMENT.id])["model"] == models[1].id


def _stored(root):
    with sqlite3.connect(root.meta / "signals.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from signals order by ts")]
