"""The command line: the list of commands, wrong usage, return codes, completion, and what is imported."""

import json
import os
import subprocess
import sys

import pytest
from typer.main import get_command

from cli.__main__ import COMMANDS, PREDECESSOR, app
from cli.features import COMMANDS as FEATURES
from cli.features import app as features
from cli.layering import COMMANDS as LAYERING
from cli.layering import app as layering
from tests.support.command import lobforge
from tests.support.scenario import capture, diff, snapshot

T = 1_741_000_000_000
HEAVY = {"numba", "dagster", "mlflow", "lightgbm", "sklearn", "ccxt", "optuna", "assets", "pipelines"}


def loaded(code: str, *arguments) -> set[str]:
    """The top-level modules that a process of its own has loaded after `code`."""
    code += "\nimport sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(finished.stdout.splitlines()[-1].split())


def test_the_help_lists_each_command_with_a_sentence_under_its_heading(capsys, monkeypatch):
    """The predecessor's script names are named below the list."""
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    assert lobforge("--help") == 0
    shown = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in shown
        if entry.panel != PREDECESSOR:
            assert entry.sentence in shown
            assert f"─ {entry.panel} ─" in shown


@pytest.mark.parametrize(("application", "entries"), [(app, COMMANDS), (features, FEATURES), (layering, LAYERING)])
def test_each_command_explains_itself_and_each_of_its_options(application, entries):
    """Its help begins with the sentence of the list."""
    group = get_command(application)
    for name, entry in entries.items():
        _, command, _ = group.resolve_command(group.make_context("lobforge", [name]), [name])
        assert command.help.startswith(entry.sentence), name
        assert [p.name for p in command.params if not p.help] == [], name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Record what a venue sends."),
        (["inspekt"], "No such command 'inspekt'. Did you mean 'inspect'?"),
        (["inspect"], "Missing argument 'FILE'."),
        (["inspect", "a.log", "--jsn"], "No such option: --jsn"),
        (["demo", "--alpha", "much"], "Invalid value for '--alpha'"),
        (["capture", "--venue", "okx-spot", "--symbols", "A", "--mode", "HALF"], "'HALF' is not one of"),
    ],
)
def test_wrong_usage_returns_two_and_says_what_is_wrong(capsys, monkeypatch, arguments, said):
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    assert lobforge(*arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_return_codes_and_errors_reach_the_shell(tmp_path):
    """0, 1 for a rejected line, 2 with the error as JSON; `python -m cli` is the same as the script."""
    frames = [diff(1, 0, T), snapshot(1, T), diff(2, 1, T)]
    good = capture(tmp_path / "good.log", frames)
    bad = capture(tmp_path / "bad.log", [*frames, b"junk\n"])
    codes = []
    for path in (good, bad, tmp_path / "absent"):
        command = [sys.executable, "-m", "cli", "inspect", str(path), "--json"]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        codes.append(finished.returncode)
    assert codes == [0, 1, 2]
    assert json.loads(finished.stdout)["error"] == "CaptureError"


def test_the_shell_completes_commands(tmp_path):
    """Through the script that `--install-completion` puts into the shell's configuration."""
    asked = {"_LOBFORGE_COMPLETE": "complete_bash", "COMP_WORDS": "lobforge ver", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "cli"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | asked)
    assert finished.stdout.split() == ["verify"]


def test_help_imports_nothing_heavy():
    assert loaded("from tests.support.command import lobforge; lobforge('--help')") & HEAVY == set()


def test_inspect_imports_neither_dagster_nor_assets_nor_pipelines(tmp_path):
    """After it has run on real frames."""
    path = capture(tmp_path / "a.log", [diff(1, 0, T), snapshot(1, T), diff(2, 1, T + 5_000)])
    code = "import sys; from tests.support.command import lobforge; assert lobforge('inspect', sys.argv[1]) == 0"
    assert loaded(code, path) & {"dagster", "assets", "pipelines", "ml"} == {"ml"}
