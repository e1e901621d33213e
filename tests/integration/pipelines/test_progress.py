"""What a person reads while a run goes on."""

import dagster as dg

from pipelines.progress import LOGGER, progress_logger, say, watch


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="sizes"), dg.AssetCheckSpec("whole", asset="sizes")])
def sizes():
    yield dg.MaterializeResult()
    for name, passed in (("sound", True), ("whole", False)):
        severity = dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, metadata={"rows": 3})


@dg.asset(deps=[sizes])
def broken():
    raise ValueError("by design")


def lines(capsys, *assets):
    defs = dg.Definitions(assets, jobs=[dg.define_asset_job("all")], loggers={LOGGER: progress_logger})
    with dg.DagsterInstance.ephemeral() as instance:
        try:
            watch(defs.resolve_job_def("all"), instance)
        except ValueError as error:
            print(error)
    shown = capsys.readouterr()
    return shown.err.splitlines(), shown.out


def test_one_line_a_step_and_a_broken_rule(capsys):
    """Finished steps with their seconds, rules that do not hold with their numbers; nothing else."""
    (rule, step), _ = lines(capsys, sizes)
    assert rule == "  sizes: rule whole broken: {'rows': 3}"
    assert step.split()[0] == "sizes"
    assert step.endswith(" s")
    float(step.split()[1])


def test_a_step_that_fails_is_named(capsys):
    """And its error is raised, not only printed."""
    shown, raised = lines(capsys, sizes, broken)
    assert shown[-1].split() == ["broken", "failed"]
    assert raised == "by design\n"


def test_progress_leaves_standard_output_to_results(capsys):
    """What a program reads must hold results alone."""
    say("half way")
    assert capsys.readouterr() == ("", "half way\n")
