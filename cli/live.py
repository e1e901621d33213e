"""`lobforge live --replay FILE...`: the promoted model on a stream of frames, one by one.

Here: the command: what it replays, compares and prints.
Not here: from frame to signal (`live.runner`).
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import polars as pl
import typer

from cli.options import AsJson
from cli.progress import say
from live.router import as_now
from live.runner import Counts, Runner, promoted
from ml.core import config, kernel_cache, settings
from ml.core.config import Config
from ml.core.errors import InstrumentError, StoreError
from ml.core.paths import DEFAULT_EXPERIMENT, LAYERING_MODEL, DataRoot
from ml.learning import experiment
from ml.market.files import captures, index
from ml.market.files.capture_sequence import CaptureSequence, link
from ml.promotion.registry import CHAMPION
from ml.promotion.serving import Serving


def main(
    replay: Annotated[list[Path], typer.Option(metavar="FILE...", help="Capture files, or directories of them.")],
    name: Annotated[
        str, typer.Option("--experiment", help="The experiment whose model predicts.")
    ] = DEFAULT_EXPERIMENT,
    alias: Annotated[str, typer.Option(help="Which of its models: champion, challenger or candidate.")] = "champion",
    as_json: AsJson = False,
    only_summary: Annotated[bool, typer.Option("--summary", help="Print the summary only.")] = False,
) -> int:
    """Run the promoted model on a stream of frames, one by one, and compare its features with the stored ones.

    With `--json` each row is one object, and the summary comes last. Returns 0, 1 if frames were quarantined or rows
    differ from the batch, 2 if nothing could be done.
    """
    root = DataRoot(settings.load().data_root)
    configuration = config.load(root)
    say(kernel_cache.notice())
    chain = link(captures.expand(replay), partial(index.load, root))
    wanted = experiment.named(root, name)
    of_champion = alias == CHAMPION
    serving = as_now(root, configuration, name) if of_champion else Serving(promoted(root, alias, name))
    pressure = wanted.feature_set.has_pressure
    summary = _replay(root, configuration, chain, serving, pressure=pressure, show=as_json and not only_summary)
    print(orjson.dumps(summary).decode() if as_json else _text(summary))
    return 1 if summary["quarantined"] or summary["parity"]["mismatches"] or summary["unlisted"] else 0


def _replay(
    root: DataRoot, configuration: Config, chain: CaptureSequence, serving: Serving, *, pressure: bool, show: bool
) -> dict[str, Any]:
    from ml.evaluation.parity import Batch, Parity
    from ml.layering import thresholds
    from ml.layering.detector import shipped_detector
    from ml.promotion.registry import champion_of

    of_cues = champion_of(root, LAYERING_MODEL)
    total = Parity()
    found = Counts()
    quarantined = sum(sum(reasons.values()) for reasons in chain.quarantined().values())
    unlisted: list[str] = []
    for instrument_id in chain.instruments():
        try:
            instrument = configuration.instrument(instrument_id)
        except InstrumentError as error:
            unlisted.append(str(error))
            continue
        stored = _stored_features(root, configuration, chain, instrument_id)
        batch = Batch(stored) if stored is not None else None
        calibration = thresholds.of(root, instrument, configuration.layering.budget)
        cues = shipped_detector(instrument, calibration, of_cues)
        runner = Runner(instrument, None, batch, cues=cues, router=serving, pressure=pressure)
        for row in runner.stream(chain):
            found.take(row)
            if show:
                print(orjson.dumps(row).decode())
        quarantined += runner.quarantined
        if runner.batch is not None:
            total.add(runner.batch.finish(whole=False))
    parity = total.counts() | {"first_mismatch": total.first}
    return {
        "model": serving.champion.model.id if serving.champion else None,
        **vars(found),
        "quarantined": quarantined,
        "unlisted": unlisted,
        "parity": parity,
    }


def _stored_features(
    root: DataRoot, configuration: Config, chain: CaptureSequence, instrument_id: str
) -> pl.DataFrame | None:
    """The stored feature rows over the chain's dates, None where there are none."""
    from ml.storage.commit import read

    spans = [summary.instruments[instrument_id] for _, summary in chain.files if instrument_id in summary.instruments]
    stored: list[pl.DataFrame] = []
    for date in configuration.between(min(s.first_event for s in spans), max(s.last_event for s in spans)):
        try:
            stored.append(read(root.partition("features", date, instrument_id)).collect())
        except StoreError:
            continue  # not materialized: nothing to compare with
    return pl.concat(stored) if stored else None


def _text(summary: dict[str, Any]) -> str:
    withheld = ", ".join(f"{count} {reason}" for reason, count in sorted(summary["withheld"].items())) or "none"
    parity = summary["parity"]
    lines = [
        f"model      {summary['model'] or 'none promoted'}",
        f"signals    {summary['signals']}",
        f"layering cues  {summary['cues']}",
        f"withheld   {withheld}",
        f"quarantined  {summary['quarantined']}",
        f"parity     {parity['mismatches']} of {parity['rows']} rows differ from the batch {parity['first_mismatch']}",
    ]
    return "\n".join([*lines, *summary["unlisted"]])
