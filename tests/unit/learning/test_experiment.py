"""Experiments as `lobforge.toml` lists them, and what is said of one that is invalid."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ml.core import config
from ml.core.config import Config, render
from ml.core.errors import SettingsError
from ml.learning import experiment
from ml.learning.experiment import DEFAULT, Experiment, as_dict, of_dict
from ml.simulation.instrument import INSTRUMENT
from ml.storage.durable import write_text

PLAIN = render(Config(Path("captures"), date(2025, 3, 3), None, (INSTRUMENT,)))


def configuration(root, lines):
    write_text(root.config, PLAIN + lines)
    return experiment.load(root)


def test_the_default_one_exists_without_a_line(root):
    """Nothing changes for a file that lists none."""
    assert configuration(root, "") == {"base_35_10s": DEFAULT}
    assert (DEFAULT.features, DEFAULT.horizon, DEFAULT.row_spacing, DEFAULT.instruments) == ("base_35", 10, 1, ())


def test_listed_ones_stand_beside_it(root):
    """What a table leaves out is as in the default one; the default one itself may be changed."""
    found = configuration(
        root,
        '[experiments.all_30s]\nfeatures = "base_110"\nhorizon = 30\nrow_spacing = 10\nwindow_days = 30\n'
        f'instruments = ["{INSTRUMENT.id}"]\n[experiments.base_35_10s]\nwindow_days = 7\n',
    )
    assert found == {
        "base_35_10s": replace(DEFAULT, window_days=7),
        "all_30s": Experiment("all_30s", "base_110", 30, 10, 30, (INSTRUMENT.id,)),
    }
    assert all(of_dict(as_dict(one)) == one for one in found.values())
    assert (found["all_30s"].label("movement"), len(found["all_30s"].feature_set.columns)) == ("movement_30s", 110)


def test_a_file_that_is_written_again_keeps_them(root):
    """Whoever renders the configuration loses none."""
    before = configuration(
        root,
        '[experiments.all_30s]\nhorizon = 30\ninstruments = ["sim.SIMUSDT"]\n'
        "[experiments.all_30s.options]\nrounds = 50\nlearning_rate = 0.1\n",
    )
    write_text(root.config, render(config.load(root)))
    assert experiment.load(root) == before


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ('horizon = 30\nfeatures = "base_111"', 3, "features is 'base_111'. Give one of base_110, base_35"),
        ('features = "unified_240"', 2, "features is 'unified_240'. Give one of base_110, base_35"),
        ("horizon = 20", 2, r"horizon is 20. Give one of labels.horizons, \[10, 30, 60\]"),
        ("horizon = true", 2, "horizon is True"),
        ("\n# far\nrow_spacing = 0", 4, "row_spacing is 0. Give seconds from 1 to 3600"),
        ("window_days = 1.5", 2, "window_days is 1.5. Give a number of UTC dates"),
        ('instruments = ["sim.OTHER"]', 2, r"instruments is \['sim.OTHER'\]. Give a list of listed instruments"),
        ('instruments = "sim.SIMUSDT"', 2, "instruments is 'sim.SIMUSDT'. Give a list"),
        ('model = "tree"', 2, "model is 'tree'. Give one of lightgbm, "),
        ("options = { round = 5 }", 2, "lightgbm has no option 'round'"),
        ('options = { rounds = "5" }', 2, "option rounds of lightgbm is '5'. Give a value of type int"),
        ('model = "majority"\noptions = { rounds = 5 }', 3, "majority has no option 'rounds'"),
        ("horizons = 30", 2, "horizons is unknown. Known: features, horizon, "),
    ],
)
def test_a_bad_value_is_named_with_its_line(root, lines, line, message):
    """File, line, experiment, key, value, and what to give."""
    number = len(PLAIN.splitlines()) + line
    with pytest.raises(SettingsError, match=rf"lobforge\.toml, line {number}, \[experiments\.mine\]: {message}"):
        configuration(root, f"[experiments.mine]\n{lines}\n[experiments.other]\nfeatures = 'base_35'\n")


def test_a_name_that_no_folder_may_have_is_refused(root):
    """A partition, a folder and a model are named by it."""
    number = len(PLAIN.splitlines()) + 1
    with pytest.raises(SettingsError, match=rf"line {number}, .*small letters, digits"):
        configuration(root, '[experiments."../x"]\nhorizon = 30\n')
    with pytest.raises(SettingsError, match="not a table"):
        configuration(root, "[experiments]\nmine = 3\n")


def test_an_unknown_name_is_answered_with_the_known_ones(root):
    """And how to add it."""
    configuration(root, "")
    with pytest.raises(SettingsError, match=r"Unknown experiment 'x'. Available: base_35_10s. Add \[experiments.x\]"):
        experiment.named(root, "x")
