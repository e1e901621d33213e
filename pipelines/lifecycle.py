"""The life of a model in minutes: trained, challenger, shadow, split traffic, champion, broken, rolled back.

Here: the simulated market, the two models, and the replay in market time; what happened is returned as events.
Not here: the policy's rules and the registry (`ml.promotion`), printing (`pipelines.lifecycle_report`).

The champion of the demo saw only two columns of the order book's slope, so that the challenger, which saw all of them,
is better by about five points. Everything after the training is decided by the policy on rows that neither model saw.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.core import config, kernel_cache, settings
from ml.core.config import Config, LifecyclePlan
from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.core.time import HOUR, MINUTE, SECOND
from ml.storage.commit import manifest, publish, read
from ml.storage.durable import write_text
from pipelines.setup import initialise

if TYPE_CHECKING:
    import polars as pl

    from ml.labels.spec import LabelSpec
    from ml.learning.models.trained import TrainedModel
    from ml.learning.rows import Rows
    from ml.promotion.registry import Registry
    from ml.promotion.replay import StoredRow
    from ml.promotion.rollout import Rollout, Taken

START = datetime(2025, 3, 3, tzinfo=UTC)
HOURS = 23
SEED = 7
ALPHA = 0.3
TRAIN_HOURS = 14
PLAN = LifecyclePlan(shadow_hours=4, split_hours=2, split_share=0.1, watch_hours=3, longest_hours=8, look_hours=0.5)
CRIPPLED = ("slope_bid", "slope_ask")
"""The only columns that the demo's first champion was trained on."""
OPTIONS: dict[str, Any] = {
    "num_leaves": 6,
    "min_data_in_leaf": 600,
    "learning_rate": 0.05,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.6,
    "rounds": 80,
}
BREAK_AFTER = 30 * MINUTE
"""Of market time between the promotion and the fault."""
END_AFTER = 15 * MINUTE
"""Of market time between the rollback and the end."""
BROKEN_ROWS = 20
"""The broken champion fails on one row in so many."""
WHO = "lifecycle demo"


@dataclass(frozen=True)
class LifecycleDemo:
    """The market's seed and the policy."""

    seed: int = SEED
    plan: LifecyclePlan = PLAN

    def root(self) -> DataRoot:
        """A data root of its own."""
        return DataRoot(settings.load().data_root / "variants" / f"lifecycle-{self.seed}")


class Broken:
    """A model that raises on one row in so many: the fault of the demo."""

    def __init__(self, model: "TrainedModel", every: int = BROKEN_ROWS) -> None:
        self.model = model
        self.id = model.id
        self.card = model.card
        self.every = every
        self._rows = 0

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Those of the model.

        Raises:
            RuntimeError: on one row in so many.
        """
        self._rows += 1
        if self._rows % self.every == 0:
            raise RuntimeError("a fault that the demo injects")
        return self.model.probabilities(features)

    def directions(self, probabilities: np.ndarray) -> np.ndarray:
        """Those of the model."""
        return self.model.directions(probabilities)


def run(demo: LifecycleDemo, say: Callable[[str], None]) -> dict[str, Any]:
    """The whole life; returns the report of `tests/schemas/lifecycle_demo.json`."""
    from ml.learning.experiment import DEFAULT
    from ml.promotion.registry import Registry
    from ml.promotion.replay import stored_rows
    from ml.promotion.rollout import Rollout

    started = perf_counter()
    if notice := kernel_cache.notice():
        say(notice)
    root = demo.root()
    for line in _prepare(root, demo):
        say(line)
    say(f"policy: {_policy(demo.plan)}")
    frame = _market(root, demo, say)
    start_ns = int(START.timestamp()) * SECOND
    trained_until = start_ns + TRAIN_HOURS * HOUR
    say(f"train two models on the first {TRAIN_HOURS} h")
    rows, spec = _panel(frame, trained_until)
    events: list[dict[str, Any]] = []
    registry = Registry(root).timed(lambda: trained_until)
    first, second = (_train(root, registry, rows, spec, columns) for columns in (CRIPPLED, None))
    for model, columns in ((first, list(CRIPPLED)), (second, DEFAULT.feature_set.columns)):
        events.append(_event("train", trained_until, model.id, columns=len(columns), until=trained_until))
    why = f"the first model of the demo, trained on {' and '.join(CRIPPLED)} alone"
    registry.promote(registry.version_of(first.id).version, None, WHO, why, override=True)
    registry.challenge(registry.version_of(second.id).version, WHO, "trained on all columns", _evidence(rows, spec))
    challenged = registry.life().since
    events.append(_event("challenge", challenged, second.id, champion=first.id))
    events.append(_event("shadow", challenged, second.id, hours=demo.plan.shadow_hours))
    steps: list[Taken] = []
    rollout = Rollout(registry, demo.plan, steps.append, replay=True)
    say(f"replay {HOURS - TRAIN_HOURS} h of rows that neither model saw")
    live = stored_rows(frame.filter(frame["ts"] > challenged), spec, DEFAULT.horizon)
    served = _replay(rollout, registry, live, steps, events, say)
    report = {
        "events": events,
        "rollback_s": next((e["seconds"] for e in events if e["event"] == "rollback"), None),
        "policy": asdict(demo.plan),
        "models": {"champion": first.id, "challenger": second.id},
        "served": served,
        "comparison": next((e["comparison"] for e in reversed(events) if e["event"] == "promote"), None),
        "decisions": len(registry.history()),
        "market": {"instrument": frame["instrument"][0], "seed": demo.seed, "hours": HOURS, "alpha": ALPHA},
    }
    report["picture"] = str(_picture(root, demo, report))
    return report | {"wall_s": round(perf_counter() - started, 1)}


def _policy(plan: LifecyclePlan) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(plan).items())


def _prepare(root: DataRoot, demo: LifecycleDemo) -> Iterable[str]:
    """Create the data root; registry and decisions of an earlier run of the demo go, its market stays."""
    from ml.simulation.instrument import INSTRUMENT

    root.mlflow.parent.mkdir(parents=True, exist_ok=True)
    for folder in (root.decisions, root.models, root.mlflow):
        shutil.rmtree(folder, ignore_errors=True)
    last = START.date()
    configuration = Config(Path("captures") / "sim", START.date(), last, (INSTRUMENT,), lifecycle=demo.plan)
    if root.config.exists() and config.load(root).lifecycle != demo.plan:
        root.config.unlink()
    return initialise(root, configuration)


def _market(root: DataRoot, demo: LifecycleDemo, say: Callable[[str], None]) -> "pl.DataFrame":
    """The stored `training_features` of the market; computed if nothing, or another market, is stored."""
    from ml.core.versions import outdated
    from ml.learning.simulated import training_features
    from ml.simulation.instrument import INSTRUMENT
    from ml.simulation.plants import Alpha
    from ml.simulation.venue import Market

    day = START.date().isoformat()
    path = root.partition(FEATURE_GROUP, day, INSTRUMENT.id)
    wanted = {"seed": demo.seed, "hours": HOURS, "alpha": ALPHA}
    note = root.captures / "sim" / "market.json"
    known = manifest(root, FEATURE_GROUP).get(str(path.relative_to(root.root)))
    is_current = known is not None and outdated(FEATURE_GROUP, known.code_version) is None
    if not (is_current and note.exists() and json.loads(note.read_text()) == wanted):
        say(f"simulate {HOURS} h of {INSTRUMENT.id}, information coefficient {ALPHA:g}, seed {demo.seed}")
        market = Market(demo.seed, HOURS * 3600, Alpha(ALPHA))
        rows = training_features(market, int(START.timestamp()) * SECOND)
        publish(root, FEATURE_GROUP, path, rows, _code_version())
        write_text(note, json.dumps(wanted))
    return read(path).collect()


def _code_version() -> str:
    from ml.core.versions import TRAINING_FEATURES, code_version

    return code_version(TRAINING_FEATURES)


def _panel(frame: "pl.DataFrame", until: int) -> "tuple[Rows, LabelSpec]":
    """The rows to train on, whose labels are known by a time, and the label spec fitted on the first of them."""
    from ml.learning.dataset import build, first_block, spec_of
    from ml.learning.experiment import DEFAULT
    from ml.learning.rows import Rows

    known = frame.filter(frame[DEFAULT.label("label_end")] <= until)
    spec = spec_of(first_block(known, DEFAULT), DEFAULT)
    if spec is None:
        raise DatasetError("The simulated market has too few labelled rows. Simulate more hours.")
    return Rows.of(build(known, spec, DEFAULT), DEFAULT.feature_set.columns), spec


def _train(
    root: DataRoot, registry: "Registry", rows: "Rows", spec: "LabelSpec", columns: tuple[str, ...] | None
) -> "TrainedModel":
    """A registered model that saw some columns (None: all); the others were constant where it was trained."""
    from ml.learning.experiment import DEFAULT
    from ml.learning.models.trained import ModelCard, TrainedModel
    from ml.learning.walk_forward import trainer

    features = DEFAULT.feature_set
    seen = columns or tuple(features.columns)
    hidden = [k for k, name in enumerate(features.columns) if name not in seen]
    values = rows.features.copy()
    values[:, hidden] = 0
    shown = replace(rows, features=values)
    fitted = trainer("lightgbm", OPTIONS, settings.load().threads)(shown, np.arange(len(rows.direction)))
    card = ModelCard(
        experiment=DEFAULT.name,
        model="lightgbm",
        options=OPTIONS,
        features=tuple(features.columns),
        horizon=DEFAULT.horizon,
        feature_set=features.name,
        feature_set_hash=features.hash,
        code_version=features.code_version,
        label_spec=asdict(spec),
        panel_sha256=shown.hash,
        trained_until=int(rows.end.max()),
        rows=len(rows.direction),
    )
    model = TrainedModel(fitted, card)
    model.save(root.model(model.id))
    tags = {"model_id": model.id, "columns": ",".join(seen) if columns else features.name}
    registry.register(model.id, registry.log_run(root.model(model.id), OPTIONS, {"rows": float(card.rows)}, tags))
    return model


def _evidence(rows: "Rows", spec: "LabelSpec") -> dict[str, Any]:
    """What the record of the challenge says of the data."""
    from ml.learning.experiment import DEFAULT, as_dict

    return {
        "dataset_id": rows.hash,
        "experiment": as_dict(DEFAULT),
        "label_spec": asdict(spec),
        "split": {"train": "the first hours of the market, by label end", "judged": "the hours after them, as served"},
        "trials": 1,
        "asked": WHO,
    }


def _replay(
    rollout: "Rollout",
    registry: "Registry",
    rows: "Iterable[StoredRow]",
    steps: "list[Taken]",
    events: list[dict[str, Any]],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Serve every row; break the champion some time after its promotion, and end some time after the rollback."""
    from ml.promotion.serving import Seat

    counts: dict[str, int] = {"rows": 0, "served": 0, "withheld": 0, "by_fallback": 0}
    by_model: dict[str, int] = {}
    break_at: int | None = None
    end_at: int | None = None
    for row in rows:
        if end_at is not None and row.ts >= end_at:
            break
        if break_at is not None and row.ts >= break_at:
            seat = rollout.serving.champion
            assert seat is not None  # noqa: S101 - somebody was promoted
            rollout.serving.champion = Seat(Broken(seat.model), seat.positions)  # type: ignore[arg-type]
            events.append(_event("fault", row.ts, seat.model.id, fails_on=f"one row in {BROKEN_ROWS}"))
            say(f"break the champion {seat.model.id}: it fails on one row in {BROKEN_ROWS}")
            break_at = None
        scored = rollout.score(row.instrument, row.ts, row.values, row.withheld, row.label)
        counts["rows"] += 1
        if scored.served is None:
            counts["withheld"] += 1
        else:
            counts["served"] += 1
            by_model[scored.served.model_id] = by_model.get(scored.served.model_id, 0) + 1
            routed = scored.champion if scored.routed == "champion" else scored.beside
            counts["by_fallback"] += scored.served is not routed
        for taken in steps:
            events.append(_taken(taken))
            say(f"{taken.step.decision} {taken.step.model_id}: {taken.step.why}")
            if taken.step.decision == "promote":
                break_at = row.ts + BREAK_AFTER
            if taken.step.decision == "rollback":
                end_at = row.ts + END_AFTER
                events.append(_retire(rollout.registry, taken.record["champion_before"]))
        steps.clear()
    return counts | {"by_model": by_model}


def _retire(registry: "Registry", model_id: str) -> dict[str, Any]:
    record = registry.retire(registry.version_of(model_id).version, WHO, "it failed while it served")
    return _event("retire", record["decided_at"], model_id, record=record["hash"])


def _taken(taken: "Taken") -> dict[str, Any]:
    record = taken.record
    found = record["comparison"]
    last = found["looks"][-1] if found and found["looks"] else None
    return _event(
        taken.step.decision,
        record["decided_at"],
        taken.step.model_id,
        why=taken.step.why,
        record=record["hash"],
        seconds=round(taken.seconds, 3),
        health=record["health"],
        comparison=last and {**last, "outcome": found["outcome"]},
    )


def _event(event: str, at: int, model: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "at": at, "model": model} | more


def _picture(root: DataRoot, demo: LifecycleDemo, report: dict[str, Any]) -> Path:
    from ml.plotting import lifecycle

    path = root.picture("lifecycle")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lifecycle.timeline(report["events"], report["models"], report["events"][-1]["at"] + END_AFTER))
    return path
