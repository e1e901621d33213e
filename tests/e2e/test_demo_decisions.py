"""What the demo decides: promotes a planted alpha, nothing without one, and is honest about recorded minutes."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jsonschema
import pytest

from ml.core.paths import DataRoot
from pipelines.demo import Demo
from tests.conftest import PROJECT
from tests.e2e.demos import run

SCHEMA = PROJECT / "tests" / "schemas" / "demo.json"


def variant(base, demo: Demo) -> DataRoot:
    """The data root that the demo will choose below `base`."""
    return DataRoot(base / demo.root().root.relative_to(Demo().root().root))


@pytest.fixture(scope="module")
def recorded(market, tmp_path_factory):
    """The demo on the recorded Binance minutes."""
    base = tmp_path_factory.mktemp("recorded")
    captures = market / "binance_raw"
    return run(base, variant(base, Demo(captures)), "--captures", str(captures))


@pytest.mark.slow
def test_recorded_minutes_are_insufficient(recorded):
    """Sixteen minutes justify nothing: no candidate, the reasons, and how many hours more; that is no failure."""
    code, report, _ = recorded
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert (code, report["decision"], report["candidate"], report["champion"]) == (0, "insufficient", None, None)
    rows = next(gate for gate in report["gates"] if gate["name"] == "rows")
    assert rows["outcome"] == "insufficient"
    assert "h more of 2 instruments" in rows["detail"]
    assert report["gaps"] == []


@pytest.mark.slow
def test_recorded_minutes_are_the_same_live(recorded):
    """Every row is compared and equal; of the 480 rows of each symbol 400 or more have all short features."""
    parity = recorded[1]["parity"]
    assert (parity["rows"], parity["mismatches"]) == (960, 0)
    assert parity["rows_with_values"] >= 800


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The demo on its own market, with nothing beside it."""
    base = tmp_path_factory.mktemp("default")
    return run(base, DataRoot(base))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_default_market_is_promoted(default):
    """All gates pass, all canaries live, and at least 80 % of the rows are compared with values."""
    code, report, _ = default
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert (code, report["decision"]) == (0, "promote")
    assert report["champion"] == report["candidate"] is not None
    assert {gate["outcome"] for gate in report["gates"] if gate["required"]} == {"pass"}
    assert report["parity"]["mismatches"] == 0
    assert report["parity"]["rows_with_values"] >= 0.8 * report["parity"]["rows"] > 30_000
    assert [gap["reason"] for gap in report["gaps"]] == ["sequence_gap"]


@pytest.fixture(params=["busy", "one core"])
def strained(request):
    """A machine on which four other processes are busy, or one that has one core."""
    cores = os.sched_getaffinity(0)
    loops = []
    if request.param == "one core":
        os.sched_setaffinity(0, {min(cores)})
    else:
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    os.sched_setaffinity(0, cores)
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_machine_has_no_say_in_the_decision(default, strained, tmp_path):
    """Promoted all the same: every gate has its number from the quiet machine, but for the time of a decision."""
    code, report, _ = run(tmp_path, DataRoot(tmp_path))
    assert (code, report["decision"], report["candidate"]) == (0, "promote", default[1]["candidate"])
    for quiet, gate in zip(default[1]["gates"], report["gates"], strict=True):
        if gate["name"] == "latency":
            assert (gate["outcome"], gate["threshold"]) == ("pass", quiet["threshold"])
        else:
            assert gate == quiet


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_markets_without_alpha_promote_nothing(tmp_path, capsys):
    """The whole pipeline, seeds 0 to 9; every outcome is printed."""

    def decide(seed: int) -> tuple[int, int, dict]:
        demo = partial(run, tmp_path, variant(tmp_path, Demo(alpha=0.0, seed=seed)))
        code, report, _ = demo("--alpha", "0", "--seed", str(seed))
        return seed, code, report

    with ThreadPoolExecutor(2) as pool, capsys.disabled():
        decided = list(pool.map(decide, range(10)))
        for seed, code, report in decided:
            failed = [
                f"{g['name']} {g['outcome']}" for g in report["gates"] if g["outcome"] != "pass" and g["required"]
            ]
            print(f"alpha 0 seed {seed}: {report['decision']} ({', '.join(failed)}), return code {code}")
    assert all(report["decision"] in ("refuse", "insufficient") for _, _, report in decided)
    assert {code for _, code, _ in decided} == {0}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_weak_market_is_not_promoted(tmp_path):
    """An information coefficient of .05 is real, but half a day cannot show it."""
    demo = Demo(alpha=0.05)
    _, report, _ = run(tmp_path, variant(tmp_path, demo), "--alpha", "0.05")
    assert report["decision"] in ("insufficient", "refuse")
