"""`lobforge live`: the champion on a stream of frames, what it withholds, whom it refuses, and batch = live."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import numpy as np
import polars as pl
import pytest

from live.runner import Runner, promoted
from ml.core import config
from ml.core.config import Config
from ml.core.errors import ModelRefused
from ml.core.paths import DataRoot
from ml.feature_store.latest import newest, published
from ml.features.sets import BASE, WHOLE
from ml.features.tick.build import build
from ml.learning.candidate import train
from ml.learning.experiment import DEFAULT
from ml.learning.models.trained import TrainedModel, fits, load
from ml.market.book import layout
from ml.market.days.tables import samples_array
from ml.promotion.registry import CANDIDATE, Registry
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import Outage, frames, write_captures
from ml.simulation.venue import Market, simulate
from ml.storage.commit import publish, read
from ml.storage.durable import write_text
from tests.support import panels
from tests.support.command import lobforge
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.scenario import capture, chain_of, diff, snapshot

SCHEMA = jsonschema.Draft202012Validator(json.loads((Path(__file__).parents[2] / "schemas" / "live.json").read_text()))
DATE = "2025-03-03"
START = 1_741_000_000 * 10**9
SECONDS = 600
OUTAGE = Outage(250, 5)


@pytest.fixture(scope="module")
def captures(tmp_path_factory) -> Path:
    """Ten minutes of a simulated market with an outage."""
    folder = tmp_path_factory.mktemp("live") / "captures"
    write_captures(folder, frames(simulate(Market(5, SECONDS, Alpha(0.25))), START, 5, (OUTAGE,)))
    return folder


def register(root: DataRoot, model: TrainedModel, decision: str) -> None:
    """Put a model's files into the registry and decide on it, with no gate asked."""
    registry = Registry(root)
    model.save(root.model(model.id))
    content = {
        "decision": decision,
        "evidence": model.id,
        "candidate": model.id,
        "champion_before": registry.champion(),
    }
    registry.commit(content, registry.log_run(root.model(model.id)))


@pytest.fixture(scope="module")
def serving(captures, tmp_path_factory) -> DataRoot:
    """A data root with a small champion, a refused candidate of other code, and the stored features of the captures."""
    root = DataRoot(tmp_path_factory.mktemp("serving") / "data")
    write_text(root.config, config.render(Config(captures, date(2025, 3, 3), date(2025, 3, 3), (INSTRUMENT,))))
    champion = load(root.model(train(root, panels.rows(2_000), DEFAULT, None, panels.tuned(), 1)))
    register(root, champion, "promote")
    foreign = TrainedModel(champion.model, replace(champion.card, code_version="kernel 0"))
    register(root, foreign, "refuse")
    registry = Registry(root)
    registry.client.set_registered_model_alias(registry.name, CANDIDATE, registry._find_version(foreign.id))
    raw = raw_day(chain_of(captures), INSTRUMENT, DATE)
    decoded = decode_day(raw, INSTRUMENT, DATE)
    samples = sample_day(raw, decoded.book_events, decoded.trades, decoded.validity, INSTRUMENT, DATE)
    rows = build(samples_array(samples), np.zeros((0, layout.COLUMNS), np.int64), INSTRUMENT)
    publish(root, "features", root.partition("features", DATE, INSTRUMENT.id), rows, "")
    return root


@pytest.fixture
def live(capsys, monkeypatch, serving):
    """A function: run the verb and return its code and the objects that it printed, each checked against the schema."""

    def run(*arguments, root=serving):
        monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
        code = lobforge("live", "--json", *arguments)
        printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        for document in printed:
            SCHEMA.validate(document)
        return code, printed

    return run


@pytest.fixture(scope="module")
def champion(serving):
    return promoted(serving, "champion")


def test_every_sample_gives_a_signal_or_a_reason(live, captures, champion):
    """One row a second in order of time, the summary last; it counts what was printed."""
    code, (*rows, summary) = live("--replay", captures)
    rows = [row for row in rows if "cue" not in row]
    assert code == 0
    assert np.diff([row["ts"] for row in rows]).tolist() == [10**9] * (len(rows) - 1)
    reasons = [row["withheld"] for row in rows if "withheld" in row]
    assert summary["signals"] == len(rows) - len(reasons) > 300
    assert summary["withheld"] == {reason: reasons.count(reason) for reason in set(reasons)}
    assert {row["model"] for row in rows} == {summary["model"]} == {champion.id}


def test_signals_are_the_models_answers_to_the_stored_rows(live, captures, champion, serving):
    """Direction, probabilities and end of validity follow from features, model and horizon; ages from arrival."""
    rows = [row for row in live("--replay", captures)[1][:-1] if "direction" in row]
    stored = read(serving.partition("features", DATE, INSTRUMENT.id)).collect()
    known = stored.filter(pl.col("ts").is_in([row["ts"] for row in rows])).select(BASE.columns).to_numpy()
    p = champion.probabilities(known)
    np.testing.assert_allclose([row["probabilities"] for row in rows], p, atol=1e-6)
    names = np.array(["down", "neutral", "up"])[champion.directions(p)]
    assert [row["direction"] for row in rows] == names.tolist()
    assert len(set(names)) > 1
    assert all(row["valid_until"] - row["ts"] == 10 * 10**9 for row in rows)
    assert all(0 < row["data_age_ms"] < 2_000 for row in rows)


def test_what_is_not_known_is_withheld_with_its_reason(live, captures, serving):
    """The first minute and the minute after the gap warm up, the gap has no book; each reason is the stored row's."""
    rows = [row for row in live("--replay", captures)[1][:-1] if "withheld" in row]
    stored = read(serving.partition("features", DATE, INSTRUMENT.id)).collect()
    whole = stored.filter(pl.all_horizontal(pl.col(BASE.columns).is_not_null()))
    assert {row["ts"] for row in rows} == set(stored["ts"]) - set(whole["ts"])
    assert {row["withheld"] for row in rows} == {"warm_up", "invalid_book"}
    gap = [row["ts"] for row in rows if row["withheld"] == "invalid_book" and row["ts"] > START + 200 * 10**9]
    assert START + 249 * 10**9 <= min(gap) <= START + 252 * 10**9
    assert max(gap) >= START + 255 * 10**9


def test_live_rows_are_the_batch_rows(live, captures, serving):
    """Every stored row is compared, none differs; one changed value is found, named, and returns 1."""
    path = serving.partition("features", DATE, INSTRUMENT.id)
    stored = read(path).collect()
    (summary,) = live("--replay", captures, "--summary")[1]
    assert (summary["parity"]["rows"], summary["parity"]["mismatches"]) == (stored.height, 0)
    assert summary["parity"]["rows_with_values"] == summary["signals"]
    here = pl.col("ts") == stored["ts"][400]
    publish(serving, "features", path, stored.with_columns(qi_1=pl.when(here).then(0.5).otherwise(pl.col("qi_1"))), "")
    code, (summary,) = live("--replay", captures, "--summary")
    publish(serving, "features", path, stored, "")
    assert (code, summary["parity"]["mismatches"]) == (1, 1)
    assert summary["parity"]["first_mismatch"].startswith(f"{stored['ts'][400]} qi_1: batch 0.5, live ")


def test_the_newest_row_lies_in_the_online_store(captures, tmp_path):
    """After each sample another program finds its row, with the reasons of what is not known."""
    root = DataRoot(tmp_path)
    runner = Runner(INSTRUMENT, None, store=root)
    found = []
    for row in runner.stream(chain_of(captures)):
        found.append(newest(root, INSTRUMENT.id))
        assert (found[-1].ts, row["data_age_ms"]) == (row["ts"], round((found[-1].recv_ts - row["ts"]) / 1e6, 3))
    last = [np.nan if value is None else value for value in found[-1].values.values()]
    np.testing.assert_array_equal(last, runner.online.values)
    assert (found[-1].feature_set, found[-1].feature_set_hash) == (WHOLE.name, WHOLE.hash)
    assert {row.reasons["book"] for row in found} == {None, "invalid_book", "warm_up"}
    assert found[0].reasons["price"] == "warm_up"
    assert published(root) == [INSTRUMENT.id]


def test_what_was_said_is_taken_down_with_every_row(captures, champion):
    """Each row's model, class, probabilities and reason, before the row is given out; withheld ones too."""
    log = []
    runner = Runner(INSTRUMENT, champion, log=lambda *said: log.append(said))
    rows = []
    for row in runner.stream(chain_of(captures)):
        rows.append(row)
        assert len(log) == len(rows)
    assert len(rows) > 500
    for row, (instrument, recv_ts, scored) in zip(rows, log, strict=True):
        assert (instrument, scored.ts, scored.champion.model_id) == (row["instrument"], row["ts"], row["model"])
        assert row["data_age_ms"] == round((recv_ts - scored.ts) / 1e6, 3)
        assert scored.withheld == row.get("withheld")
        if scored.served is not None:
            assert row["probabilities"] == np.round(scored.served.probabilities, 6).tolist()


def test_without_a_champion_every_row_is_withheld(live, captures, root, serving):
    """Nothing was promoted yet: no signal, no stored row to compare with, no error."""
    write_text(root.config, serving.config.read_text())
    code, (*rows, summary) = live("--replay", captures, root=root)
    rows = [row for row in rows if "cue" not in row]
    assert (code, summary["model"], summary["signals"]) == (0, None, 0)
    assert summary["withheld"] == {"no_model": len(rows)}
    assert summary["parity"]["rows"] == 0
    assert published(root) == []  # a replay is not live


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"code_version": "kernel 0, features.book 1"}, "its features may differ"),
        ({"feature_set_hash": "0" * 16}, "is running"),
        ({"features": tuple(BASE.columns[1:])}, f"running only: \\['{BASE.columns[0]}'\\]"),
        ({"features": ("brand_new", *BASE.columns[1:])}, "model only: \\['brand_new'\\]"),
        ({"features": (BASE.columns[1], BASE.columns[0], *BASE.columns[2:])}, "Train and promote again"),
    ],
)
def test_a_model_of_other_features_or_other_code_is_refused(champion, change, says):
    """Another hash, another kernel, another column or another order: the error says what differs."""
    other = TrainedModel(champion.model, champion.card)
    other.card = replace(champion.card, **change)
    with pytest.raises(ModelRefused, match=says):
        fits(other)
    fits(champion)


def test_a_refused_model_ends_the_command_with_two(live, captures):
    """Through the registry, by its alias: one error and no row. An alias that no model has is an error too."""
    for alias, says in ((CANDIDATE, "features of kernel 0, but"), ("nobody", "No model has the alias nobody")):
        code, (error,) = live("--replay", captures, "--alias", alias)
        assert (code, error["error"]) == (2, "ModelRefused")
        assert says in error["message"]


def test_a_refused_champion_leaves_no_capture_behind(root, monkeypatch):
    """FULL ends with the reason before a journal is begun: no thread would keep the process alive."""
    from live import router
    from live.service import Capture, Options

    def refuse(*_):
        raise ModelRefused("of other code")

    write_text(root.config, config.render(Config(root.captures, date(2025, 3, 3), None, (INSTRUMENT,))))
    monkeypatch.setattr(router, "router", refuse)
    with pytest.raises(ModelRefused, match="of other code"):
        Capture(root, Options("bybit-linear", ("BTCUSDT",)), print, print)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("journal-", "sync-"))] == []
    assert not root.journals.exists()


def test_an_unlisted_instrument_is_named_and_the_rest_is_served(live, captures, tmp_path):
    """Return code 1, with the lines to add to the configuration."""
    docs = [diff(1, 0, 1_741_000_000_000), snapshot(1, 1_741_000_000_000)]
    other = capture(tmp_path / "other.log", docs)
    code, (summary,) = live("--replay", captures, other, "--summary")
    assert (code, summary["signals"] > 300) == (1, True)
    assert 'id = "binance-usdm.BTCUSDT"' in summary["unlisted"][0]


@pytest.mark.parametrize(
    ("line", "lost"),
    [(b"junk\n", 0), (b'1741000001000000000 {"stream":"sim/x","data":{"s":"SIMUSDT","e":"trade"}}\n', 1)],
    ids=["line", "frame"],
)
def test_what_cannot_be_read_is_counted_and_the_rest_is_served(live, captures, tmp_path, line, lost):
    """A line that is no frame costs no row, an unreadable trade its second; both return 1."""
    bad = capture(tmp_path / "bad.log", [line])
    clean, (code, (summary,)) = (
        live("--replay", captures, "--summary")[1][0],
        live("--replay", captures, bad, "--summary"),
    )
    assert (code, summary["quarantined"]) == (1, 1)
    assert summary["signals"] == clean["signals"] - lost
    assert lost or summary["parity"] == clean["parity"]


@pytest.mark.parametrize(
    ("prepare", "replay", "error"),
    [
        (True, "absent.gz", "CaptureError"),
        (True, ".", "CaptureError"),
        (False, "captures", "SettingsError"),
    ],
)
def test_where_nothing_can_be_done_the_code_is_two(live, captures, root, serving, tmp_path, prepare, replay, error):
    """No file, a directory without captures, a data root that was never set up."""
    if prepare:
        write_text(root.config, serving.config.read_text())
    (tmp_path / "empty").mkdir()
    path = captures if replay == "captures" else tmp_path / "empty" / replay
    code, (printed,) = live("--replay", path, root=root)
    assert (code, printed["error"]) == (2, error)


def test_people_get_six_lines(capsys, monkeypatch, captures, serving):
    """Model, signals, layering cues, withheld by reason, quarantined, parity."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(serving.root))
    assert lobforge("live", "--replay", captures) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["model", "signals", "layering cues", "withheld", "quarantined", "parity"]
    assert [line.split("  ")[0] for line in lines] == names
    assert "warm_up" in lines[3]
    assert "0 of" in lines[5]


def test_serving_a_model_loads_neither_dagster_nor_assets_nor_pipelines(captures, serving):
    """By the command, in a process of its own, with registry, model and frames: no dagster, assets or pipelines."""
    code = (
        "import sys; from tests.support.command import lobforge; code = lobforge(*sys.argv[1:]);"
        "loaded = {name.partition('.')[0] for name in sys.modules};"
        "print(code, sorted(loaded & {'dagster', 'assets', 'pipelines'}), 'lightgbm' in loaded)"
    )
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(serving.root)}
    command = [sys.executable, "-c", code, "live", "--replay", str(captures), "--summary", "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert finished.stdout.splitlines()[-1] == "0 [] True"
