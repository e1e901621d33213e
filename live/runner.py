"""`lobforge live --replay FILE...`: the promoted model on a stream of frames, one by one.

Here: the verb, and the loop from frame to signal.
Not here: decoding, samples and features (`ml`), which are the batch's own.

A signal says direction, probabilities, until when it holds, how old the data are, and which model spoke. Where the book
is not known, a feature is missing or there is no model, the row says "withheld" and why; never an old answer or a zero.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from live.console import fail
from live.progress import say
from ml import config, kernel_cache, settings
from ml.config import Config
from ml.errors import InstrumentError, LobforgeError, ModelRefused, StoreError
from ml.feature_store.newest import NewestWriter
from ml.instruments import Instrument
from ml.market import captures, index
from ml.market.chain import Chain, link
from ml.models.lightgbm import DirectionModel
from ml.paths import DataRoot

NAMES = ("down", "neutral", "up")
SECOND = 10**9


def main(argv: list[str]) -> int:
    """Return 0, 1 if frames were set aside or rows differ from the batch, 2 if nothing could be done."""
    parser = argparse.ArgumentParser(prog="lobforge live", description=__doc__)
    parser.add_argument(
        "--replay", nargs="+", type=Path, required=True, metavar="FILE", help="capture files, or directories of them"
    )
    parser.add_argument("--alias", default="champion", help="which registered model speaks")
    parser.add_argument("--json", action="store_true", help="print one JSON object a row, and a summary last")
    parser.add_argument("--summary", action="store_true", help="print the summary only")
    options = parser.parse_args(argv)
    try:
        root = DataRoot(settings.load().data_root)
        listed = config.load(root)
        say(kernel_cache.notice())
        paths = [path for given in options.replay for path in (captures.find(given) if given.is_dir() else [given])]
        chain = link(paths, partial(index.load, root))
        model = promoted(root, options.alias)
        summary = _replay(root, listed, chain, model, options)
    except LobforgeError as error:
        return fail(error, options.json)
    print(orjson.dumps(summary).decode() if options.json else _text(summary))
    return 1 if summary["set_aside"] or summary["parity"]["mismatches"] or summary["unlisted"] else 0


def promoted(root: DataRoot, alias: str) -> DirectionModel | None:
    """The model of an alias, None if nothing was ever promoted.

    Raises:
        ModelRefused: the model was made for other features or by other code than what runs here.
    """
    from ml.registry import CHAMPION, Registry

    registry = Registry(root)
    if alias == CHAMPION and registry.champion() is None:
        return None
    model = registry.load(alias)
    fits(model)
    return model


def fits(model: DirectionModel) -> None:
    """Refuse a model whose feature set or kernel is not the running one.

    Raises:
        ModelRefused: says what differs.
    """
    from ml.features.sets import feature_set

    card, running = model.card, feature_set(model.card.feature_set)
    if card.feature_set_hash != running.hash or list(card.features) != running.columns:
        missing = sorted(set(card.features) - set(running.columns))
        extra = sorted(set(running.columns) - set(card.features))
        raise ModelRefused(
            f"The model was trained on {card.feature_set} {card.feature_set_hash}, running is {running.hash}"
            f" (model only: {missing or 'none'}; running only: {extra or 'none'}). Train and promote again."
        )
    if card.code_version != running.code_version:
        raise ModelRefused(
            f"The model was trained on features of {card.code_version}, running is {running.code_version}: "
            "its features may differ. Train and promote again."
        )


def _replay(
    root: DataRoot, listed: Config, chain: Chain, model: DirectionModel | None, options: argparse.Namespace
) -> dict[str, Any]:
    from ml.evaluation.parity import Batch, Parity

    total, found = Parity(), Counts()
    set_aside = sum(sum(reasons.values()) for reasons in chain.set_aside().values())
    unlisted: list[str] = []
    for instrument_id in chain.instruments():
        try:
            instrument = listed.instrument(instrument_id)
        except InstrumentError as error:
            unlisted.append(str(error))
            continue
        stored = _stored_features(root, listed, chain, instrument_id)
        runner = Runner(instrument, model, Batch(stored) if stored is not None else None)
        for row in runner.stream(chain):
            found.take(row)
            if options.json and not options.summary:
                print(orjson.dumps(row).decode())
        set_aside += runner.set_aside
        if runner.batch is not None:
            total.add(runner.batch.finish(whole=False))
    parity = total.counts() | {"first_mismatch": total.first}
    return {
        "model": model.id if model else None,
        **vars(found),
        "set_aside": set_aside,
        "unlisted": unlisted,
        "parity": parity,
    }


class Counts:
    """Rows that gave a signal, and rows withheld by reason."""

    def __init__(self) -> None:
        self.signals = 0
        self.withheld: dict[str, int] = {}

    def take(self, row: dict[str, Any]) -> None:
        """Count one row."""
        reason = row.get("withheld")
        if reason is None:
            self.signals += 1
        else:
            self.withheld[reason] = self.withheld.get(reason, 0) + 1


class Runner:
    """One instrument's frames into signals.

    Args:
        instrument: whose frames.
        model: who speaks; None withholds every row.
        batch: stored rows to compare each feature row with.
        store: a data root in whose online store each feature row is put; None puts it nowhere.
    """

    def __init__(
        self,
        instrument: Instrument,
        model: DirectionModel | None,
        batch: Any = None,
        store: DataRoot | None = None,
    ) -> None:
        from ml.features.online import OnlineFeatures
        from ml.features.sets import feature_set
        from ml.market.feed import Feed
        from ml.market.sampler import Sampler

        self.instrument, self.model, self.batch = instrument, model, batch
        self.feed = Feed(instrument, sampler=Sampler(forget=True))
        self.online = OnlineFeatures(instrument)
        self.positions = feature_set(model.card.feature_set).positions if model else []
        self.newest = _newest_writer(store, instrument) if store else None
        self.set_aside = 0
        self._done = 0

    def prepare(self) -> None:
        """Have everything that a frame needs loaded or compiled, so that no frame of a live stream waits for it."""
        from ml.features.online import OnlineFeatures
        from ml.market import layout
        from ml.market.sampler import Sampler

        Sampler().run()
        online, samples = OnlineFeatures(self.instrument), np.zeros((2, layout.COLUMNS), np.int64)
        samples[1, layout.TS] = SECOND
        for i in range(2):  # the first takes its look-back in, the next one goes on
            online.compute(samples, i)
        if self.model is not None:
            self.model.probabilities(online.values[None, self.positions])

    def stream(self, chain: Chain) -> Iterator[dict[str, Any]]:
        """Signals of all frames in the chain, in order."""
        for arrived in chain.frames(self.instrument.id):
            yield from self.take(arrived.doc, arrived.frame.recv_ts)

    def take(self, doc: dict[str, Any], recv_ts: int) -> Iterator[dict[str, Any]]:
        """Signals of the samples that one frame released."""
        sampler = self.feed.sampler
        self.set_aside += len(self.feed.offer(doc, recv_ts))
        while self._done < sampler.released + sampler.dropped:
            i = self._done - sampler.dropped
            ts = int(sampler.samples[i, 0])
            self.online.compute(sampler.samples, i)
            if self.newest is not None:
                self.newest.put(ts, recv_ts, self.online.values, self.online.reasons)
            if self.batch is not None:
                self.batch.compare(ts, self.online)
            yield self._signal(ts, recv_ts)
            self._done += 1

    def _signal(self, ts: int, recv_ts: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            "instrument": self.instrument.id,
            "ts": ts,
            "data_age_ms": round((recv_ts - ts) / 1e6, 3),
        }
        if self.model is None:
            return row | {"model": None, "withheld": "no_model"}
        row["model"] = self.model.id
        reason = self.online.withheld(self.positions)
        if reason is not None:
            return row | {"withheld": reason}
        p = self.model.probabilities(self.online.values[None, self.positions])
        direction = NAMES[int(self.model.directions(p)[0])]
        return row | {
            "direction": direction,
            "probabilities": np.round(p[0], 6).tolist(),
            "valid_until": ts + self.model.card.horizon * SECOND,
        }


def _newest_writer(root: DataRoot, instrument: Instrument) -> NewestWriter:
    from ml.features.sets import WHOLE
    from ml.features.table import FAMILIES

    return NewestWriter(root, instrument.id, (WHOLE.name, WHOLE.hash), WHOLE.columns, FAMILIES)


def _stored_features(root: DataRoot, listed: Config, chain: Chain, instrument_id: str) -> pl.DataFrame | None:
    """The stored feature rows over the chain's dates, None where there are none."""
    from ml.store import read

    spans = [summary.instruments[instrument_id] for _, summary in chain.files if instrument_id in summary.instruments]
    stored: list[pl.DataFrame] = []
    for date in listed.between(min(s.first_event for s in spans), max(s.last_event for s in spans)):
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
        f"withheld   {withheld}",
        f"set aside  {summary['set_aside']}",
        f"parity     {parity['mismatches']} of {parity['rows']} rows differ from the batch {parity['first_mismatch']}",
    ]
    return "\n".join([*lines, *summary["unlisted"]])
