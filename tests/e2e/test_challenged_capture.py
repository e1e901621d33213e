"""A capture with a challenger beside the champion: split traffic, a challenger that fails, a champion that fails."""

import json
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise
from types import SimpleNamespace

import polars as pl
import pytest

from ml.core import config
from ml.core.config import Config, LifecyclePlan
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.learning.candidate import train
from ml.learning.experiment import DEFAULT
from ml.learning.models.trained import load
from ml.promotion.life import Step
from ml.promotion.registry import Registry
from ml.promotion.routing import BUCKET_NS, salt_of, to_challenger
from ml.storage.commit import read
from ml.storage.durable import write_text
from tests.support.emulator.running import Running, until
from tests.support.emulator.server import Emulator
from tests.support.panels import rows, tuned

VENUE = "bybit-linear"
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]
INSTRUMENTS = tuple(Instrument(f"{VENUE}.{name}", 1, 3, 1, 1) for name in SYMBOLS)
SPLIT = LifecyclePlan(split_share=0.5, longest_hours=72)
SECONDS = 20
"""Of directions of each symbol that are waited for in each stage."""


def even(challenger: str) -> str:
    """A salt by which the challenger serves some symbols and not the others, in each bucket of the next hour."""
    now = time.time_ns()
    for number in range(100_000):
        salt = salt_of(f"salt {number}", challenger)
        shares = [
            sum(to_challenger(one.id, now + k * BUCKET_NS, salt, SPLIT.split_share) for one in INSTRUMENTS)
            for k in range(6)
        ]
        if set(shares) <= {1, 2, 3}:
            return f"salt {number}"
    raise AssertionError("no salt splits the symbols")


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> SimpleNamespace:
    """What a capture said from the split on, through both faults; when what happened, and what was stored."""
    root = DataRoot(tmp_path_factory.mktemp("challenged") / "data")
    first, second = (load(root.model(train(root, rows(2_000, seed=k), DEFAULT, None, tuned(), 1))) for k in (1, 2))
    plan = replace(SPLIT, salt=even(second.id))
    write_text(root.config, config.render(Config(root.captures, date(2025, 3, 3), None, INSTRUMENTS, lifecycle=plan)))
    registry = Registry(root)
    for model in (first, second):
        registry.register(model.id, registry.log_run(root.model(model.id)))
    registry.promote("1", None, "ann", "the first", override=True)
    registry.challenge("2", "ann", "")
    registry.advance(Step("split", second.id, "by hand"), first.id, "ann")
    said, at = list[dict](), dict[str, int]()
    broken = root.root / "broken"

    def spoken() -> bool:
        """Every symbol has said enough since the last event."""
        since = max(at.values())
        counts = Counter(row["instrument"] for row in [*said] if "direction" in row and row["ts"] > since)
        return all(counts[one.id] >= SECONDS for one in INSTRUMENTS)

    def decided(decision: str) -> bool:
        return registry.history()[-1].decision == decision

    with (
        Emulator(VENUE, SYMBOLS) as emulator,
        Running(root, VENUE, emulator, "--mode", "FULL", breaks=str(broken)) as running,
    ):
        listening = threading.Thread(target=lambda: said.extend(map(json.loads, running.process.stdout)))
        listening.start()
        at["split"] = time.time_ns()
        until(spoken, 900)
        at["challenger fails"] = time.time_ns()
        broken.write_text(second.id)
        until(lambda: decided("refuse"))
        broken.unlink()
        at["refused"] = time.time_ns()
        until(spoken)
        registry.promote("2", first.id, "ann", "by hand, meanwhile", override=True)
        at["promoted"] = time.time_ns()
        until(spoken)
        at["champion fails"] = time.time_ns()
        broken.write_text(second.id)
        until(lambda: decided("rollback"))
        at["rolled back"] = time.time_ns()
        until(spoken)
        running.process.terminate()
        listening.join(60)
        error = running.process.stderr.read()
    logged = read(next(root.table("prediction_log").iterdir())).collect()
    signals = [row for row in said[:-1] if "cue" not in row]
    return SimpleNamespace(
        root=root, rows=signals, summary=said[-1], at=at, error=error, log=logged, first=first.id, second=second.id
    )


def warm(told, begin: str, end: str) -> pl.DataFrame:
    """The log of whole seconds between two events, from each symbol's first direction on."""
    starts = {
        one.id: min(r["ts"] for r in told.rows if r["instrument"] == one.id and "direction" in r) for one in INSTRUMENTS
    }
    after = pl.col("ts") >= pl.col("instrument").replace_strict(starts, return_dtype=pl.Int64)
    inside = (pl.col("ts") > told.at[begin] + SECOND) & (pl.col("recv_ts") < told.at[end])
    return told.log.filter(after & inside)


@pytest.mark.slow
@pytest.mark.timeout(2_400)
def test_the_traffic_is_split_and_both_score_each_row(told):
    """By instrument and bucket, as anybody can compute it; the other model's answer is in the log too."""
    found = warm(told, "split", "challenger fails")
    salt = salt_of(config.load(told.root).lifecycle.salt, told.second)
    pairs = found.group_by("instrument", "ts").agg("model", "predicted", served=pl.col("model").filter("served"))
    assert pairs.height >= SECONDS * len(SYMBOLS)
    for instrument, ts, models, predicted, served in pairs.iter_rows():
        expected = told.second if to_challenger(instrument, ts, salt, SPLIT.split_share) else told.first
        assert (sorted(models), served) == (sorted([told.first, told.second]), [expected])
        assert None not in predicted
    assert set(pairs["served"].explode()) == {told.first, told.second}
    assert set(found["stage"]) == {"split"}


@pytest.mark.slow
@pytest.mark.timeout(2_400)
@pytest.mark.promise("D5")
def test_a_challenger_that_fails_costs_no_row_and_is_refused(told):
    """Its share is answered by the champion until the policy refuses it, after which it is asked no more."""
    failed = told.log.filter(pl.col("reason") == "model_error")
    challenger = failed.filter(pl.col("stage") == "split")
    assert set(challenger["model"]) == {told.second}
    assert challenger["routed"].any()
    assert not failed["served"].any()
    seconds = challenger.select("instrument", "ts").join(told.log.filter("served"), on=["instrument", "ts"])
    assert set(seconds["model"]) == {told.first}
    assert set(warm(told, "refused", "promoted")["model"]) == {told.first}
    change = next(one for one in Registry(told.root).history() if one.decision == "refuse")
    assert (change.model_id, change.who) == (told.second, "lifecycle policy")
    assert "it failed on" in change.why


@pytest.mark.slow
@pytest.mark.timeout(2_400)
@pytest.mark.promise("D5")
def test_a_champion_that_fails_is_rolled_back_while_it_is_captured(told):
    """Promoted by another process meanwhile, then broken: the previous one answers, and is champion again."""
    assert set(warm(told, "promoted", "champion fails").filter("served")["model"]) == {told.second}
    assert set(warm(told, "champion fails", "rolled back").filter("served")["model"]) <= {told.first, told.second}
    after = told.log.filter(pl.col("ts") > told.at["rolled back"] + SECOND)
    assert set(after["model"]) == {told.first}
    registry = Registry(told.root)
    assert registry.champion() == registry.load().id == told.first
    assert [one.decision for one in registry.history()][-2:] == ["promote", "rollback"]
    assert registry.reconcile() is None


@pytest.mark.slow
@pytest.mark.timeout(2_400)
@pytest.mark.promise("D5")
def test_no_second_is_lost_to_either_fault(told):
    """Each symbol has every second once, all of them answered from the first answer on, and each is in the log."""
    assert (told.summary["signal_failure"], told.summary["predictions_dropped"]) == ("", 0), told.error
    for one in INSTRUMENTS:
        own = [row for row in told.rows if row["instrument"] == one.id]
        assert [b["ts"] - a["ts"] for a, b in pairwise(own)] == [SECOND] * (len(own) - 1)
        spoken = ["direction" in row for row in own]
        assert all(spoken[spoken.index(True) :])
        served = told.log.filter((pl.col("instrument") == one.id) & pl.col("served"))
        assert served.select("ts", "model").rows() == [(r["ts"], r["model"]) for r in own if "direction" in r]
        assert sorted(set(told.log.filter(pl.col("instrument") == one.id)["ts"])) == [row["ts"] for row in own]
