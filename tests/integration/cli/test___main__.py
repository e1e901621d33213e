"""The dispatcher: verbs by name, return codes, and no room that the street does not need."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from tests.support.scenario import capture, diff, snapshot

T = 1_741_000_000_000
VERBS = {
    "backup",
    "candles",
    "capture",
    "demo",
    "doctor",
    "features",
    "fetch",
    "gaps",
    "init",
    "inspect",
    "label",
    "live",
    "migrate",
    "migrate_legacy_to_parquet",
    "preprocessing_add_future_labels",
    "preprocessing_add_future_labels_parquet",
    "restore",
    "ui",
    "verify",
}


def lobforge(*arguments, **variables):
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)


def test_each_verb_is_found_by_its_name():
    """The entry points that the dispatcher reads are callables that take arguments."""
    found = {entry.name: entry.load() for entry in entry_points(group="lobforge.verbs")}
    assert set(found) == VERBS
    assert all(callable(verb) for verb in found.values())


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["-h"], 0), ([], 2)])
def test_usage_names_the_verbs(arguments, code):
    """Asked for it is no error; a command without a verb did nothing."""
    finished = lobforge(*arguments)
    assert finished.returncode == code
    assert all(verb in finished.stdout for verb in VERBS)


def test_an_unknown_verb_is_an_error_that_names_the_others():
    """On stderr, with return code 2."""
    finished = lobforge("inspekt")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert f"no verb 'inspekt'; there are {', '.join(sorted(VERBS))}" in finished.stderr


@pytest.mark.parametrize(("bad", "code"), [([], 0), ([b"junk\n"], 1)])
def test_the_verbs_return_code_is_the_commands(tmp_path, bad, code):
    """What `main` returns reaches the shell."""
    path = capture(tmp_path / "a.log", [diff(1, 0, T), snapshot(1, T), diff(2, 1, T), *bad])
    assert lobforge("inspect", path).returncode == code
    assert lobforge("inspect", tmp_path / "absent").returncode == 2


def test_inspect_loads_no_room_of_the_office(tmp_path):
    """After it has run on real frames, no module of dagster, assets or pipelines is loaded."""
    path = capture(tmp_path / "a.log", [diff(1, 0, T), snapshot(1, T), diff(2, 1, T + 5_000)])
    code = (
        "import sys; from cli.__main__ import main; code = main();"
        "rooms = {name.partition('.')[0] for name in sys.modules};"
        "print(code, sorted(rooms & {'dagster', 'assets', 'pipelines'}), 'ml' in rooms)"
    )
    command = [sys.executable, "-c", code, "inspect", str(path), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "0 [] True"
