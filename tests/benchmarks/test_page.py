"""The page of benchmarks: one failed measurement is named on it and takes nothing from the others."""

from tests.benchmarks.__main__ import Measurement, _page, done, measurements
from tests.benchmarks.goals import Goal

GOAL = Goal("t", "ours", "peer", 2)


def test_a_measurement_that_fails_is_named(capsys, tmp_path):
    """With its error; the rows of the others stand."""
    lost = done(Measurement("lost", (GOAL,), lambda: 1 // 0, "s"))
    found = done(Measurement("found", (GOAL,), lambda: {"ours": 3.0, "peer": 1.0}, "s"))
    page = _page([lost, found])
    assert lost.failed.startswith("ZeroDivisionError")
    assert "| lost | failed (ZeroDivisionError - integer division" in page
    assert "| t | ours | peer | not measured: it failed | | |" in page
    assert "| t | ours | peer | 3.00 | >= 2 | yes |" in page
    assert "| ours | 3 s |" in page
    assert "lost: failed" in capsys.readouterr().err
    names = [one.name for one in measurements(tmp_path)]
    assert len(set(names)) == len(names) > 10
