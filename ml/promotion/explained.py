"""A decision in plain words, for somebody who answers for it and trained no model.

Here: what a record means, what it rests on and what is missing from it; the page shows it (`live.pages`).
Not here: the record itself (`ml.storage.decisions`), the decision.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ml.core.errors import RegistryError
from ml.core.paths import DataRoot
from ml.core.time import text_of
from ml.promotion.registry import Change, changes
from ml.storage import decisions

MEANS = {
    "promote": "The model became champion: it serves all rows from this moment on.",
    "challenge": "The model became challenger: it scores every row in shadow and serves none.",
    "split": "The challenger serves a share of the traffic; the champion serves the rest.",
    "refuse": "The model was refused. The champion stays.",
    "insufficient": "The data were too few to decide. The champion stays.",
    "rollback": "An earlier champion took over again, after it was loaded and had answered.",
    "retire": "The version was taken out of use for good. The champion stays.",
}
GATES = {
    "coverage": "Share of the rows whose outcome is known",
    "rows": "Rows to train and judge on",
    "canaries": "Tests that must fail if the model sees the future",
    "parity": "Rows in which live and stored features differ",
    "improvement": "Gain in accuracy over the model to beat",
    "holdout": "The same gain on the newest rows, which were sealed",
    "train_val_gap": "Accuracy on known rows minus that on new rows",
    "calibration": "Error of the stated probabilities",
    "latency": "Slowest 1 % of decisions, ms of processor time",
    "reload": "Rows that the stored model answers otherwise",
    "sharpe": "Sharpe ratio, or the days there are for one",
    "slices": "Worst instrument or time of the day",
}
OUTCOMES = {"pass": "passed", "fail": "failed", "insufficient": "too few data"}
REST = (
    ("asked", "Who asked for it"),
    ("dataset_id", "Data set"),
    ("dataset_sha256", "Data set"),
    ("experiment", "Experiment"),
    ("split", "Split of the rows"),
    ("label_spec", "What counts as a move"),
    ("feature_set", "Feature set"),
    ("code_version", "Code version"),
    ("trials", "Trials of the search"),
    ("lineage_trials", "Trials ever run on this data"),
    ("baseline", "Baseline"),
    ("predictions_sha256", "Hash of the predictions"),
    ("policy", "Policy"),
    ("market_time", "Market time"),
    ("health", "Health of the answers"),
    ("evidence", "Hash of the evidence"),
    ("mlflow_run", "MLflow run"),
)
GATED = ("dataset_id", "split", "label_spec", "feature_set", "trials", "predictions_sha256", "asked")
"""What the record of asked gates must hold."""


@dataclass(frozen=True)
class Explained:
    """One decision with everything that its page shows; lists are in the order in which they are read."""

    name: str
    record: dict[str, Any]
    means: str
    summary: list[str]
    gates: list[dict[str, Any]]
    looks: list[dict[str, Any]]
    rests_on: list[tuple[str, Any]]
    missing: list[str]
    earlier: list[Change]
    chain: str

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def find(root: DataRoot, name: str, wanted: str) -> dict[str, Any]:
    """The record of a decision, by its number or the first digits of its hash.

    Raises:
        RegistryError: there is none, there are several, or it was changed.
    """
    lines = decisions.journal(root, name)
    found = [line for line in lines if str(line.number) == wanted] or [
        line for line in lines if len(wanted) >= 4 and line.hash.startswith(wanted)
    ]
    if len(found) != 1:
        available = f"1 to {len(lines)}" if lines else "none"
        raise RegistryError(
            f"{len(found)} decisions on {name} are {wanted!r}. Give a number ({available}) or more digits of its hash."
        )
    return decisions.read(root, found[0], name)


def explain(root: DataRoot, name: str, record: Mapping[str, Any]) -> Explained:
    """What a record of a name means.

    Raises:
        RegistryError: the chain of decisions is broken.
    """
    length = decisions.verify(root, name)
    comparison: dict[str, Any] = record.get("comparison") or {}
    model = record["candidate"]
    earlier = [one for one in changes(root, name) if one.model_id == model and one.number < record["number"]]
    return Explained(
        name,
        dict(record),
        MEANS[str(record["decision"])],
        list(_summary(record)),
        [gate | {"asks": GATES.get(gate["name"], gate["name"].replace("_", " "))} for gate in record.get("gates", [])],
        comparison.get("looks", []),
        [(title, record[key]) for key, title in REST if record.get(key) not in (None, "", {})],
        [key for key in GATED if "gates" in record and record.get(key) in (None, "")],
        earlier,
        f"{length} decisions of {name} form an unbroken chain; this is number {record['number']}",
    )


def _summary(record: Mapping[str, Any]) -> Iterator[str]:
    """Sentences that say what was decided, by whom, why, and what of it was no pass."""
    yield f"Decided {text_of(record['decided_at'])} UTC by {record.get('approver') or 'nobody on record'}."
    if record.get("reason"):
        yield f"Reason: {record['reason']}."
    before = record["champion_before"]
    if record["decision"] in decisions.TAKES_OVER:
        yield f"Champion before: {before or 'none'}. Champion after: {record['candidate']}."
    else:
        yield f"The champion was and is {before or 'none'}."
    if record.get("override"):
        yield "It was promoted by hand although no gates had passed it: whoever is named above took the responsibility."
    gates: Sequence[Mapping[str, Any]] = record.get("gates", [])
    for outcome in ("fail", "insufficient"):
        names = [gate["name"] for gate in gates if gate["required"] and gate["outcome"] == outcome]
        if names:
            yield f"Required checks that {'failed' if outcome == 'fail' else 'had too few data'}: {', '.join(names)}."
    if gates and all(gate["outcome"] == "pass" for gate in gates if gate["required"]):
        yield f"All {sum(gate['required'] for gate in gates)} required checks passed."
    looks = (record.get("comparison") or {}).get("looks", [])
    if looks:
        yield f"Compared with the other model on {looks[-1]['rows']:,} rows: {looks[-1]['detail']}."
