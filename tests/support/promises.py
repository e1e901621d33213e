"""Promises and their proofs: `@pytest.mark.promise("A1")` on a test, a row with its last result in docs/promises.md.

`pytest --write-promises` writes what became of the marked tests that it ran; the other rows stay as they are.
"""

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ml.storage.durable import write_text
from tests.architecture.sources import PROJECT, functions, modules

DOCUMENT = PROJECT / "docs" / "promises.md"
HEADER = "| | test | last result |\n|---|---|---|\n"
NOT_RUN = "not run"


@dataclass
class Outcome:
    """What became of one test, over all its parameters."""

    states: dict[str, str] = field(default_factory=dict)
    """By test id; a phase that failed or was skipped counts for the whole test, one that was cut short not at all."""
    seconds: float = 0.0

    def add(self, report):
        self.seconds += report.duration
        if report.outcome != "passed":
            self.states[report.nodeid] = report.outcome
        elif report.when == "call":
            self.states.setdefault(report.nodeid, "passed")

    def __str__(self):
        found = list(self.states.values())
        word = "FAILED" if "failed" in found else "skipped" if "skipped" in found else "passed"
        count = f" {found.count('passed')} of {len(found)}" if len(found) > 1 or word != "passed" else ""
        return f"{word}{count}, {self.seconds:.1f} s, {datetime.now(UTC).date()}"


class Scribe:
    """The part of a run that listens to what becomes of marked tests and writes it down at the end."""

    def __init__(self):
        self.outcomes = defaultdict(Outcome)

    def pytest_runtest_logreport(self, report):
        if "promise" in report.keywords:
            self.outcomes[report.nodeid.partition("[")[0]].add(report)

    def pytest_sessionfinish(self):
        results = {test: str(outcome) for test, outcome in self.outcomes.items() if outcome.states}
        write_text(DOCUMENT, written(DOCUMENT.read_text(), results))


def written(text, results):
    """The document with a row for every marked test: its result of this run, else the one that stood there."""
    head, _, table = text.partition(HEADER)
    known = {tuple(cells[:2]): cells[2] for cells in map(cells_of, table.splitlines())}
    rows = ((promise, test, results.get(test, known.get((promise, test), NOT_RUN))) for promise, test in marked())
    return head + HEADER + "".join(f"| {promise} | `{test}` | {result} |\n" for promise, test, result in rows)


def cells_of(line):
    """The cells of a row: promise, test, result."""
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def promised(text):
    """Numbers of the promises that the document makes, in its order."""
    return [
        cells_of(line)[0]
        for line in text.partition(HEADER)[0].splitlines()
        if line.startswith("| ") and line[2:3] in "ABCDEF"
    ]


def marked():
    """Promise and test of every mark in the sources, in order of the promises."""
    found = []
    for path, tree in modules("tests").items():
        for function in functions(tree):
            found += [(promise, f"{path}::{function.name}") for promise in _marks(function)]
    return sorted(found, key=lambda item: (item[0][0], int(item[0][1:]), item[1]))


def _marks(function):
    calls = [d for d in function.decorator_list if isinstance(d, ast.Call)]
    return [ast.literal_eval(a) for d in calls if ast.unparse(d.func) == "pytest.mark.promise" for a in d.args]
