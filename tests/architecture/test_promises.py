"""docs/promises.md says what the marks in the tests say: every promise has its proof, and no row is left over."""

from tests.support.promises import DOCUMENT, HEADER, NOT_RUN, Outcome, Scribe, cells_of, marked, promised, written

DEMANDED = (
    {f"A{n}" for n in (1, 2, 3, 4, 6, 7, 8, 9, 10)}
    | {f"B{n}" for n in (1, 2, 3, 4, 5, 6, 7, 9)}
    | {
        "C2",
        "C3",
        "C10",
        "C5",
        "D4",
        "D5",
        "D6",
        "D7",
        "D12",
        "E1",
        "E2",
        "E4",
        "F1",
        "F2",
        "F3",
    }
)


class Report:
    """One phase of a test, as pytest tells it."""

    keywords = ("promise",)

    def __init__(self, nodeid, outcome="passed", when="call"):
        self.nodeid = nodeid
        self.outcome = outcome
        self.when = when
        self.duration = 1.0


def test_every_promise_has_a_test():
    """Each that was demanded is made, and each that is made is marked on a test."""
    made = promised(DOCUMENT.read_text())
    assert set(made) >= DEMANDED
    assert {promise for promise, _ in marked()} == set(made)
    assert len(made) == len(set(made))


def test_the_rows_are_the_marks():
    """A test that lost its mark or its name has no row, a fresh mark has one; `make promises` writes them."""
    rows = DOCUMENT.read_text().partition(HEADER)[2].splitlines()
    assert [tuple(cells_of(row)[:2]) for row in rows] == marked()


def test_results_are_written_and_others_kept():
    """A run of some tests touches their rows alone; a test that never ran says so."""
    first, second, third = (test for _, test in marked()[:3])
    before = written("head\n" + HEADER, {first: "one", second: "two"})
    after = written(before, {second: "again"})
    results = {cells_of(row)[1]: cells_of(row)[2] for row in after.partition(HEADER)[2].splitlines()}
    assert [results[test] for test in (first, second, third)] == ["one", "again", NOT_RUN]
    assert after.startswith("head\n")


def test_a_test_that_was_cut_short_has_no_result():
    """Its setup passed, and nobody knows more; a setup that failed is a failure."""
    begun = Outcome()
    broken = Outcome()
    begun.add(Report("a::t", when="setup"))
    broken.add(Report("a::t", "failed", when="setup"))
    assert begun.states == {}
    assert str(broken).startswith("FAILED 0 of 1")


def test_one_parameter_that_fails_fails_the_row():
    """And one that was skipped is not passed; the time is that of all phases."""
    whole = Outcome()
    torn = Outcome()
    partly = Outcome()
    for phase in ("a::t[1]", "a::t[1]", "a::t[2]"):
        whole.add(Report(phase))
        torn.add(Report(phase))
        partly.add(Report(phase))
    torn.add(Report("a::t[1]", "failed"))
    torn.add(Report("a::t[1]"))
    partly.add(Report("a::t[3]", "skipped"))
    assert str(whole).startswith("passed 2 of 2, 3.0 s, 20")
    assert str(torn).startswith("FAILED 1 of 2, 5.0 s, 20")
    assert str(partly).startswith("skipped 2 of 3, 4.0 s, 20")


def test_only_marked_tests_are_taken_down():
    """Parameters of one test count together."""
    scribe = Scribe()
    other = Report("b::u")
    other.keywords = ()
    for report in (Report("a::t[1]"), Report("a::t[2]"), other):
        scribe.pytest_runtest_logreport(report)
    assert list(scribe.outcomes) == ["a::t"]
