"""`lobforge layering benchmark --hours 0.5 --json`: the short form of the figures, by its schema."""

import json
from pathlib import Path

import jsonschema
import pytest

from ml.layering.benchmark import LEAST
from ml.simulation.episodes import HARD_NEGATIVES, LAYERING, M_GRID
from tests.support.command import lobforge

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "layering_benchmark.json").read_text())


@pytest.mark.slow
def test_the_short_form_has_every_figure(capsys):
    """Every size, variant and hard negative, with enough episodes; the false alarms have an interval."""
    assert lobforge("layering", "benchmark", "--hours", "0.5", "--json") == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    jsonschema.validate(report, SCHEMA)
    told = report["simulator"]
    assert set(told["recall"]) == {f"{m:g}" for m in M_GRID}
    assert set(told["variants"]) == set(LAYERING)
    assert set(told["hard_negatives"]) <= set(HARD_NEGATIVES)
    assert told["episodes"] >= LEAST * len(M_GRID) * (len(LAYERING) - 1)  # layers that move need a price that moves
    assert told["false_alarms_interval"][0] <= told["false_alarms_per_hour"] <= told["false_alarms_interval"][1]
    assert told["recall_m2"] > told["legacy_rule"]["recall"]
    placebos = told["placebos"]
    assert abs(placebos["mirrored"] - placebos["unchanged"]) < 0.1
    assert max(placebos["shuffled"], placebos["backwards"]) < placebos["unchanged"]
