"""The search for parameters as Dagster materializes it."""

from ml.learning.tuning import N_TRIALS
from tests.integration.assets.play import document, drawn, shown


def test_the_best_of_the_trials_is_kept(learned):
    """The document holds every trial; the best one's parameters are those that train the candidate."""
    root, result = learned
    tuned = document(root, "tuned_params")
    metadata = shown(result, "tuned_params")
    best = min(tuned["trials"], key=lambda trial: trial["log_loss"])
    assert len(tuned["trials"]) == tuned["n_trials"] == metadata["trials"].value == N_TRIALS
    assert best["params"]
    assert best["params"].items() <= tuned["options"].items()
    assert metadata["log loss"].value == tuned["log_loss"] == best["log_loss"]
    assert drawn(result, "tuned_params", "by trial")[0].startswith(b"\x89PNG")
