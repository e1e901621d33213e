"""Trials of a lineage: every search that saw one of the same days counts, each once."""

from dataclasses import replace

from ml.features.sets import BASE
from ml.learning import lineage
from ml.learning.dataset import PanelRecord, Source
from ml.learning.experiment import DEFAULT
from tests.support.panels import tuned


def panel(*days, dataset="a"):
    """A panel of days of instruments, written `date|instrument`."""
    sources = []
    for day in days:
        date, instrument = day.split("|")
        path = f"feature_store/offline/training_features/date={date}/features_{instrument}.parquet"
        sources.append(Source(path, "sha", 10))
    return PanelRecord(dataset, tuple(sources), None, DEFAULT, BASE.hash, {}, {})


MONDAY, TUESDAY, OTHER = "2025-03-03|sim.X", "2025-03-04|sim.X", "2025-03-03|sim.Y"


def test_every_search_on_one_of_the_days_counts(root):
    """Of whichever experiment; of another instrument or another day it does not."""
    lineage.note(root, panel(MONDAY), tuned())
    lineage.note(root, replace(panel(MONDAY, TUESDAY, dataset="b"), experiment=replace(DEFAULT, name="x")), tuned())
    lineage.note(root, panel(OTHER, dataset="c"), tuned())
    assert lineage.trials(root, panel(MONDAY), tuned()) == 16
    assert lineage.trials(root, panel(TUESDAY, dataset="d"), tuned()) == 16
    assert lineage.trials(root, panel(OTHER, dataset="c"), tuned()) == 8


def test_the_same_search_again_is_the_same_trials(root):
    """Until it finds something else: other options, or on another dataset."""
    for _ in range(3):
        lineage.note(root, panel(MONDAY), tuned())
    assert len(root.trials.read_text().splitlines()) == 1
    lineage.note(root, panel(MONDAY), tuned(learning_rate=0.05))
    assert lineage.trials(root, panel(MONDAY), tuned()) == 16


def test_a_search_that_nobody_noted_counts_itself(root):
    """And a line that a power cut tore does not count."""
    assert lineage.trials(root, panel(MONDAY), tuned()) == 8
    lineage.note(root, panel(MONDAY), tuned())
    root.trials.write_text(root.trials.read_text()[:-10])
    assert lineage.trials(root, panel(MONDAY), tuned()) == 8
