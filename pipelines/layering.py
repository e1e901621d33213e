"""Learning from votes on cues of layering: on a data root, and from captures on as a demo.

Here: running the jobs, and collecting what they found.
Not here: printing it (`pipelines.layering_report`), the assets (`assets.layering`, `assets.layering_model`).
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any

import polars as pl

from ml.core import kernel_cache, settings
from ml.core.config import Config, LayeringPlan
from ml.core.errors import DatasetError
from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.storage.commit import manifest, read
from ml.storage.durable import write_text
from pipelines.setup import initialise, opened

if TYPE_CHECKING:
    import dagster as dg

HOURS = 2.0
NUMBER = 3
EPISODES_AN_HOUR = 400
PLAN = LayeringPlan(budget=20.0)
NEEDED = ("raw_frames", "book_events", "trades", "validity", "trade_validity", "quarantine", "book_samples")
"""Tables of a day from which cues and the market around them follow."""
TRUTH = "truth.json"


@dataclass(frozen=True)
class LayeringDemo:
    """A simulated market with planted episodes: hours, and its number among the test streams."""

    hours: float = HOURS
    number: int = NUMBER

    def root(self) -> DataRoot:
        """A data root of its own."""
        name = f"layering-{self.number}-{self.hours:g}h"
        return DataRoot(settings.load().data_root / "variants" / name)


def learn(root: DataRoot, say: Any) -> dict[str, Any]:
    """Run the job `learn_layering` on a data root, and return what was decided with its evidence.

    Raises:
        DatasetError: no cues are stored.
    """
    from pipelines.definitions import build_defs

    if not manifest(root, "layering_cues"):
        raise DatasetError(
            f"No cues of layering are stored in {root.root}. Run the job `layering` for the days that have events; "
            "`lobforge ui` shows it."
        )
    defs = build_defs(root)
    with opened(root) as instance:
        return _learn(root, defs, instance, say)


def run(demo: LayeringDemo, say: Any) -> dict[str, Any]:
    """The whole way, from captures with planted episodes to a registered model; see `tests/schemas`."""
    from pipelines.definitions import build_defs
    from pipelines.progress import watch

    if notice := kernel_cache.notice():
        say(notice)
    started = perf_counter()
    root = demo.root()
    configuration, keys, truth = _simulated(root, demo, say)
    for line in initialise(root, configuration):
        say(line)
    defs = build_defs(root)
    with opened(root) as instance:
        for key in keys:
            say(f"ingest {key}")
            watch(defs.resolve_job_def("ingest"), instance, partition_key=key, asset_selection=_keys(NEEDED))
            say(f"layering {key}")
            watch(defs.resolve_job_def("layering"), instance, partition_key=key)
        say("labels of planted episodes")
        found = [_inject(root, key, truth) for key in keys]
        report = _learn(root, defs, instance, say)
    return {
        "episodes": truth.filter(pl.col("label") == 1).height,
        "look_alikes": truth.filter(pl.col("label") == 0).height,
        "hours": demo.hours,
        "cues": sum(found),
        **report,
        "wall_s": round(perf_counter() - started, 1),
    }


def _learn(root: DataRoot, defs: "dg.Definitions", instance: "dg.DagsterInstance", say: Any) -> dict[str, Any]:
    from ml.promotion.registry import Registry
    from pipelines.progress import watch

    say("learn layering")
    watch(defs.resolve_job_def("learn_layering"), instance)
    record = json.loads(root.document("layering_decision").read_text())
    registry = Registry(root, LAYERING_MODEL)
    version = next((one.version for one in registry.versions() if one.model_id == record["candidate"]), None)
    tiers = read(root.whole("layering_dataset")).group_by("tier", "label").len().sort("tier", "label").collect()
    return {
        "decision": record["decision"],
        "candidate": record["candidate"],
        "version": version,
        "champion": registry.champion(),
        "record": record["hash"],
        "labels": tiers.to_dicts(),
        "scores": record["scores"],
        "importance": record["importance"],
        "canaries": record["canaries"],
        "gates": record["gates"],
    }


def _simulated(root: DataRoot, demo: LayeringDemo, say: Any) -> tuple[Config, list[str], pl.DataFrame]:
    """The configuration, the partition keys and the truth of the demo's market, whose captures lie below the root."""
    from ml.layering.training import VARIANTS
    from ml.simulation.instrument import INSTRUMENT
    from ml.simulation.overlay import TRUTH as COLUMNS
    from ml.simulation.streams import START_NS, TEST, planted, write

    seconds = int(demo.hours * 3600)
    start = START_NS + demo.number * 3600 * 10**9
    folder = root.captures / "sim"
    path = folder / TRUTH
    if not path.exists():
        say(f"simulate {demo.hours:g} h of {INSTRUMENT.id} with {EPISODES_AN_HOUR} episodes an hour")
        stream = planted(TEST, demo.number, VARIANTS, round(EPISODES_AN_HOUR * demo.hours), seconds)
        write(stream, folder)
        write_text(path, json.dumps(stream.truth.to_dicts()))
    truth = pl.DataFrame(json.loads(path.read_text()), schema=COLUMNS)
    first, last = (_date(ns) for ns in (start, start + (seconds - 1) * 10**9))
    configuration = Config(Path("captures") / "sim", first, last, (INSTRUMENT,), layering=PLAN)
    return (
        configuration,
        [f"{day}|{INSTRUMENT.id}" for day in configuration.between(start, start + (seconds - 1) * 10**9)],
        truth,
    )


def _inject(root: DataRoot, key: str, truth: pl.DataFrame) -> int:
    """Votes on the cues of a partition that have none of the truth; returns how many cues there are."""
    from ml.layering.injected import inject
    from ml.layering.labels import LabelLog

    day, _, instrument = key.partition("|")
    cues = read(root.partition("layering_cues", day, instrument)).collect()
    with LabelLog(root.label_log) as log:
        known = log.votes().filter(pl.col("source") == "injected")["cue_id"]
        inject(log, cues.filter(~pl.col("id").is_in(known.to_list())), truth, time_ns())
    return cues.height


def _keys(names: tuple[str, ...]) -> "list[dg.AssetKey]":
    import dagster as dg

    return [dg.AssetKey(name) for name in names]


def _date(ns: int) -> date:
    return datetime.fromtimestamp(ns // 10**9, UTC).date()
