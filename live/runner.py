"""The promoted model on a stream of frames, one by one.

Here: the loop from frame to signal, and which model may run.
Not here: decoding, samples and features (`ml`), which are the batch's own; who serves a row while a challenger is tried
(`ml.promotion.serving`, `live.router`).

A signal says direction, probabilities, until when it holds, how old the data are, and which model spoke. Where the book
is not known, a feature is missing or there is no model, the row says "withheld" and why; never an old answer or a zero.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ml.core.instruments import Instrument
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.core.time import SECOND
from ml.feature_store.latest import NewestWriter
from ml.learning.models.trained import TrainedModel, fits
from ml.market.files.capture_sequence import CaptureSequence

if TYPE_CHECKING:
    from ml.layering.detector import Detector
    from ml.market.book.layout import BookStream, TradeStream
    from ml.promotion.serving import Scored

NAMES = ("down", "neutral", "up")
NO_PRESSURE = "no_pressure"
"""Withheld: the model reads spoofing pressure, which this runner was not told to compute."""
Log = Callable[[str, int, "Scored"], None]


def promoted(root: DataRoot, alias: str, name: str = DEFAULT_EXPERIMENT) -> TrainedModel | None:
    """The model of an alias of an experiment, None if nothing was ever promoted.

    Raises:
        ModelRefused: the model was made for other features or by other code than what runs here.
    """
    from ml.promotion.registry import CHAMPION, Registry

    registry = Registry(root, name)
    if alias == CHAMPION and registry.champion() is None:
        return None
    model = registry.load(alias)
    fits(model)
    return model


class Router(Protocol):
    """Who answers a row: `ml.promotion.serving.Serving`, or `ml.promotion.rollout.Rollout`, which also judges."""

    def score(
        self, instrument: str, ts: int, values: np.ndarray, withheld: Callable[[Sequence[int]], str | None]
    ) -> "Scored":
        """The answer to a row of all features f64; `withheld` tells why some columns are unknown."""
        ...


class Counts:
    """Rows that gave a signal, and rows withheld by reason."""

    def __init__(self) -> None:
        self.signals = 0
        self.cues = 0
        self.withheld: dict[str, int] = {}

    def take(self, row: dict[str, Any]) -> None:
        """Count one row; a cue is neither, and an early warning is not counted."""
        if "warning" in row:
            return
        if "cue" in row:
            self.cues += 1
            return
        reason = row.get("withheld")
        if reason is None:
            self.signals += 1
        else:
            self.withheld[reason] = self.withheld.get(reason, 0) + 1


class Runner:
    """One instrument's frames into signals.

    Args:
        instrument: whose frames.
        model: who speaks, unless there is a router; None withholds every row.
        batch: stored rows to compare each feature row with.
        store: a data root in whose online store each feature row is put; None puts it nowhere.
        cues: the layering detector that sees the same events; None looks for none.
        router: who speaks; it may be shared by the runners of several instruments.
        pressure: whether spoofing pressure is computed too, for models that read it.
        log: it records what the models said of each second: the instrument, when the frame was received that closed it
            (ns UTC) and the answers. None records nothing.
    """

    def __init__(
        self,
        instrument: Instrument,
        model: TrainedModel | None,
        batch: Any = None,
        store: DataRoot | None = None,
        cues: "Detector | None" = None,
        router: Router | None = None,
        pressure: bool = False,
        log: Log | None = None,
    ) -> None:
        from ml.features.pressure.rows import OnlinePressure
        from ml.features.sets import ALL
        from ml.features.tick.online import OnlineFeatures
        from ml.market.book.feed import Feed
        from ml.promotion.serving import Serving

        self.instrument = instrument
        self.router = router or Serving(model)
        self.log = log
        self.batch = batch
        self.feed = Feed.of(instrument, forget=True)
        self.pressure = OnlinePressure(instrument) if pressure else None
        if cues is not None or pressure:
            self.feed.listener = self._watch
        self.detector = cues
        self._cues: list[dict[str, Any]] = []
        self.online = OnlineFeatures(instrument)
        self._values = np.full(len(ALL), np.nan)
        self.newest = _newest_writer(store, instrument) if store else None
        self.quarantined = 0
        self._done = 0

    def prepare(self) -> None:
        """Have everything that a frame needs loaded or compiled, so that no frame of a live stream waits for it."""
        from ml.features.tick.online import OnlineFeatures
        from ml.market.book import layout
        from ml.market.book.sampler import NO_BOOKS, NO_TRADES, Sampler

        Sampler().run()
        online = OnlineFeatures(self.instrument)
        samples = np.zeros((2, layout.COLUMNS), np.int64)
        samples[1, layout.TS] = SECOND
        for i in range(2):  # the first takes its look-back in, the next one goes on
            online.compute(samples, i)
        self.router.score(self.instrument.id, 0, np.nan_to_num(self._values), lambda _: None)
        if self.detector is not None:
            self.detector.prepare()
        if self.pressure is not None:
            self.pressure.take(NO_BOOKS, NO_TRADES)

    def stream(self, chain: CaptureSequence) -> Iterator[dict[str, Any]]:
        """Signals of all frames in the chain, in order."""
        for arrived in chain.frames(self.instrument.id):
            yield from self.take(arrived.doc, arrived.frame.recv_ts)

    def take(self, doc: dict[str, Any], recv_ts: int) -> Iterator[dict[str, Any]]:
        """The layering cues and early warnings that one frame decides, and signals of the samples that it released."""
        sampler = self.feed.sampler
        self.quarantined += len(self.feed.offer(doc, recv_ts))
        yield from self._cues
        self._cues = []
        while self._done < sampler.released + sampler.dropped:
            i = self._done - sampler.dropped
            ts = int(sampler.samples[i, 0])
            self.online.compute(sampler.samples, i)
            if self.pressure is not None:
                self.pressure.compute(sampler.samples, i)
            if self.newest is not None:
                self.newest.put(ts, recv_ts, self.online.values, self.online.reasons)
            if self.batch is not None:
                self.batch.compare(ts, self.online)
            yield self._signal(ts, recv_ts)
            self._done += 1

    def _watch(self, books: "BookStream", trades: "TradeStream") -> None:
        from ml.layering.detector import shown, shown_warning

        if self.pressure is not None:
            self.pressure.take(books, trades)
        if self.detector is None:
            return
        for cue in self.detector.take(books, trades):
            self._cues.append({"instrument": self.instrument.id, "ts": cue.end, "cue": shown(cue, self.instrument)})
        for one in self.detector.warnings():
            warned = shown_warning(one, self.instrument)
            self._cues.append({"instrument": self.instrument.id, "ts": one.ts, "warning": warned})

    def _signal(self, ts: int, recv_ts: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            "instrument": self.instrument.id,
            "ts": ts,
            "data_age_ms": round((recv_ts - ts) / 1e6, 3),
        }
        known = len(self.online.values)
        self._values[:known] = self.online.values
        if self.pressure is not None:
            self._values[known:] = self.pressure.values
        scored = self.router.score(self.instrument.id, ts, self._values, self._withheld)
        if self.log is not None:
            self.log(self.instrument.id, recv_ts, scored)
        answer = scored.served
        if answer is None or answer.probabilities is None or answer.direction is None:
            routed = scored.beside if scored.routed == "beside" else scored.champion
            return row | {"model": routed and routed.model_id, "withheld": scored.withheld}
        return row | {
            "model": answer.model_id,
            "direction": NAMES[answer.direction],
            "probabilities": np.round(answer.probabilities, 6).tolist(),
            "valid_until": ts + answer.horizon * SECOND,
        }

    def _withheld(self, positions: Sequence[int]) -> str | None:
        """The first reason for which one of these values of the newest row is null; None if they are whole."""
        known = len(self.online.values)
        reason = self.online.withheld([k for k in positions if k < known])
        if reason is not None or max(positions, default=0) < known:
            return reason
        return self.pressure.withheld() if self.pressure is not None else NO_PRESSURE


def _newest_writer(root: DataRoot, instrument: Instrument) -> NewestWriter:
    from ml.features.sets import WHOLE
    from ml.features.tick.table import FAMILIES

    return NewestWriter(root, instrument.id, (WHOLE.name, WHOLE.hash), WHOLE.columns, FAMILIES)
