"""The life of a model in one command: what happened, in which order, and that nobody lost a row."""

import json
from pathlib import Path

import jsonschema
import pytest

from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.core.time import HOUR, MINUTE, ns_of
from ml.promotion.registry import Registry
from ml.storage import decisions, verify
from pipelines.lifecycle import PLAN, LifecycleDemo, run
from tests.support.command import lobforge

SCHEMAS = Path(__file__).parents[1] / "schemas"
DEMO = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "lifecycle_demo.json").read_text()))
MODELS = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "models.json").read_text()))
LIFE = ["train", "train", "challenge", "shadow", "split", "promote", "fault", "rollback", "retire"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The report of the command, its lines of progress, and the data root."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path_factory.mktemp("lifecycle")))
        report = run(LifecycleDemo(), said.append)
        root = LifecycleDemo().root()
    return json.loads(json.dumps(report)), said, root


@pytest.fixture
def asked(demo, monkeypatch, capsys):
    """A function: run a command on the demo's root and return its code and its JSON, checked against the schema."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(demo[2].root))

    def ask(*arguments):
        code = lobforge(*arguments, "--json")
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        MODELS.validate(told)
        return code, told

    return ask


@pytest.mark.promise("D5")
def test_the_life_is_whole_and_in_order(demo):
    """Train, challenge, shadow, split, promote, fault, rollback, retire; the policy is printed."""
    report, said, root = demo
    DEMO.validate(report)
    events = report["events"]
    assert [event["event"] for event in events] == LIFE
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    at = {event["event"]: event["at"] for event in events}
    assert at["split"] - at["shadow"] == pytest.approx(PLAN.shadow_hours * HOUR, abs=MINUTE)
    assert at["promote"] - at["split"] == pytest.approx(PLAN.split_hours * HOUR, abs=MINUTE)
    assert at["rollback"] - at["fault"] < 10 * MINUTE
    assert any(line.startswith("policy: shadow_hours 4") for line in said)
    assert Path(report["picture"]).read_bytes().startswith(b"\x89PNG")
    assert DataRoot(root.root).picture("lifecycle") == Path(report["picture"])


@pytest.mark.promise("D12")
def test_the_promotion_rests_on_the_block_test(demo):
    """The newest look's lower bound is above 0, and the gain is that of the columns that the champion never saw."""
    look = demo[0]["comparison"]
    assert (look["outcome"], look["lower"] > 0) == ("better", True)
    assert 0.02 < look["gain"] < 0.10


@pytest.mark.promise("D5")
def test_no_row_is_lost_to_the_fault_or_the_rollback(demo):
    """Rows of the failing champion are answered by the other model under its own name."""
    report = demo[0]
    served, models = report["served"], report["models"]
    assert (
        served["rows"] == served["served"] + served["withheld"] == sum(served["by_model"].values()) + served["withheld"]
    )
    assert served["withheld"] == 0
    assert served["by_fallback"] > 0
    assert set(served["by_model"]) == set(models.values())
    seconds = (report["events"][-1]["at"] - report["events"][3]["at"]) / 1e9
    assert served["rows"] >= seconds - 1
    assert report["rollback_s"] <= 2.0


def test_journal_aliases_and_records_agree(demo):
    """After the whole life the first model serves, the broken one is retired, and every file is as recorded."""
    report, _, root = demo
    registry = Registry(root)
    assert registry.reconcile() is None
    assert registry.champion() == registry.load().id == report["models"]["champion"]
    assert [one.retired for one in registry.versions()] == [True, False]
    assert decisions.verify(root) == report["decisions"] == 6
    assert verify.verify(root).faults == []


@pytest.mark.promise("D4")
def test_the_champion_at_each_moment(demo, asked):
    """From the command line, at each event and between them."""
    report = demo[0]
    at = {event["event"]: event["at"] // 10**9 * 10**9 for event in report["events"]}
    first, second = report["models"]["champion"], report["models"]["challenger"]

    def champion(ns):
        from ml.core.time import text_of

        return asked("models", "champion", "--at", text_of(ns))[1]["champion"]

    expected = [(at["challenge"] - HOUR, None), (at["split"], first), (at["promote"] + MINUTE, second)]
    expected += [(at["fault"], second), (at["rollback"] + MINUTE, first)]
    assert [champion(ns) for ns, _ in expected] == [model for _, model in expected]
    assert ns_of("2025-03-03T14:00:00") == at["train"]


def test_commands_tell_what_happened(demo, asked):
    """Lists, comparison and refusals as JSON of one schema."""
    report = demo[0]
    code, told = asked("models", "decisions")
    assert [one["decision"] for one in told["decisions"]] == [
        "promote",
        "challenge",
        "split",
        "promote",
        "rollback",
        "retire",
    ]
    assert (code, asked("decisions", "list")[1]) == (0, told)
    code, told = asked("models", "compare", "1", "2")
    assert (code, told["lower"] > 0) == (0, True)
    code, told = asked("models", "list")
    assert [one["aliases"] for one in told["models"][DEFAULT_EXPERIMENT]] == [[], ["champion"]]
    for refused in (
        ("promote", DEFAULT_EXPERIMENT, "2", "--override", "--why", "x"),
        ("promote", DEFAULT_EXPERIMENT, "1"),
        ("promote", DEFAULT_EXPERIMENT, "2", "--override"),
        ("rollback", DEFAULT_EXPERIMENT),
        ("retire", DEFAULT_EXPERIMENT, "1"),
        ("challenge", DEFAULT_EXPERIMENT, "2"),
        ("compare", "1", "9"),
    ):
        code, told = asked("models", *refused)
        assert (code, told["error"]) == (2, "RegistryError")
    assert asked("models", "decisions")[1]["decisions"][-1]["hash"] == report["events"][-1]["record"]


def test_a_decision_is_a_page_of_its_own(demo, asked, capsys, tmp_path):
    """Self-contained: no script, nothing from elsewhere; it names models, bounds and the hash of the record."""
    report = demo[0]
    code, record = asked("decisions", "show", "4")
    assert (code, record["decision"]) == (0, "promote")
    assert lobforge("decisions", "show", record["hash"][:8], "--html", "--out", tmp_path / "page.html") == 0
    capsys.readouterr()
    assert lobforge("decisions", "show", "4", "--html") == 0
    page = capsys.readouterr().out
    assert page.strip() == (tmp_path / "page.html").read_text().strip()
    for wanted in (record["hash"], *report["models"].values(), "unbroken chain", "lifecycle policy", "data:image/png"):
        assert wanted in page
    assert not any(bad in page for bad in ("<script", "http://", "https://", 'src="/'))
    assert asked("decisions", "show", "77")[0] == 2
