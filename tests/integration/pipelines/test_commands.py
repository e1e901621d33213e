"""The commands that need Dagster: their output and return codes."""

import json

import jsonschema
import pytest

from ml.core import config
from pipelines import demo
from tests.architecture.sources import PROJECT
from tests.support.command import lobforge

SCHEMA = json.loads((PROJECT / "tests" / "schemas" / "demo.json").read_text())


@pytest.fixture
def captured(home):
    """A created data root that has a capture file."""
    folder = config.load(home).captures
    folder.mkdir(parents=True)
    (folder / "a.log").touch()
    return home


@pytest.mark.parametrize("command", ["init", "doctor", "demo"])
def test_an_unknown_setting_is_refused(tmp_path, monkeypatch, capsys, command):
    """A misspelt variable is an error: 2, and what was probably meant, as JSON where that was asked for."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("LOBFORGE_DATA_ROOTS", "x")
    assert lobforge(command, "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"] == "SettingsError"
    assert "Unknown setting LOBFORGE_DATA_ROOTS. Did you mean LOBFORGE_DATA_ROOT?" in answer["message"]
    assert not (tmp_path / "data").exists()


def test_init_says_what_it_did(home, capsys):
    """Nothing, where nothing was missing; both for people and for programs."""
    assert lobforge("init", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"data_root": str(home.root), "done": []}
    assert lobforge("init") == 0
    assert capsys.readouterr().out == "nothing to do\n"


def test_init_names_what_it_created(home, capsys):
    """One line a thing."""
    home.config.unlink()
    assert lobforge("init") == 0
    assert capsys.readouterr().out == f"wrote {home.config}\n"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda r: None, 0),
        (lambda r: next(r.captures.rglob("*.log")).unlink(), 1),
        (lambda r: (r.dagster_home / "dagster.yaml").unlink(), 2),
        (lambda r: r.config.unlink(), 2),
    ],
    ids=["sound", "no captures", "no instance", "no configuration"],
)
def test_the_doctors_code_says_how_bad_it_is(captured, capsys, spoil, code):
    """0 all is well, 1 something is wrong, 2 nothing can run; as many findings in JSON as in text."""
    spoil(captured)
    assert lobforge("doctor", "--json") == code
    findings = json.loads(capsys.readouterr().out)
    assert lobforge("doctor") == code
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("ok   ") for line in lines) == sum(finding["ok"] for finding in findings)
    fixes = [finding["fix"] for finding in findings if not finding["ok"]]
    assert [line.partition("fix: ")[2] for line in lines if "fix: " in line] == fixes
    assert bool(fixes) == bool(code)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_demo_without_captures_can_do_nothing(home, tmp_path, capsys, form):
    """2, and what was expected."""
    assert lobforge("demo", "--captures", tmp_path / "none", *form) == 2
    shown = capsys.readouterr()
    message = json.loads(shown.out)["message"] if form else shown.err
    assert "none is not a directory" in message


@pytest.mark.parametrize(("quarantined", "code"), [(0, 0), (3, 1)])
def test_an_honest_refusal_is_no_failure(demonstrated, home, capsys, monkeypatch, quarantined, code):
    """`insufficient` returns 0; 1 only if frames were quarantined. The last line is the report."""
    root, keys, report, _ = demonstrated
    found = report | {"live": report["live"] | {"quarantined": quarantined}}
    monkeypatch.setattr(demo, "prepare", lambda wanted, say: (root, keys))
    monkeypatch.setattr(demo, "run", lambda root, keys, say: found)
    assert lobforge("demo", "--json") == code
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    jsonschema.validate(shown, SCHEMA)
    assert shown == json.loads(json.dumps(found))
    assert lobforge("demo") == code
    assert "insufficient" in capsys.readouterr().out


def test_a_wrong_option_is_refused(capsys):
    """As every command does it: 2 and the usage."""
    assert lobforge("init", "--jsn") == 2
    shown = capsys.readouterr().err
    assert "Usage: lobforge init" in shown
    assert "No such option: --jsn" in shown


@pytest.mark.parametrize("command", ["label", "preprocessing_add_future_labels"])
def test_labels_that_cannot_be_made_are_two(home, capsys, command):
    """The predecessor's options are known; nothing is stored here."""
    assert lobforge(command, "--start-date", "2025-03-03", "--end-date", "2025-03-04", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"] == "DatasetError"


def test_label_tells_what_changed(home, capsys, monkeypatch):
    """One if anything but labels did."""
    from pipelines import labelling

    for changed, code in ([], 0), (["qi_1"], 1):
        report = {"partitions": {"2025-03-03 sim.X": {"changed_others": changed}}}
        monkeypatch.setattr(labelling, "label", lambda *_, told=report: told)
        assert lobforge("label") == code
        assert "2025-03-03 sim.X" in capsys.readouterr().out
