"""The models that a server answers with, replaced as a whole when the registry decides something.

Here: what serves for each experiment, and following the decision journals.
Not here: who serves a row (`ml.promotion.serving`), answers to requests (`live.predictions`).

Whoever answers takes `of(name)` once per request: what it holds never changes, so no answer mixes two states.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import time_ns
from typing import NamedTuple

from live.router import as_now
from ml.core import config
from ml.core.config import Config
from ml.core.errors import LobforgeError
from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.promotion.life import Stage
from ml.promotion.registry import Registry, Version
from ml.promotion.serving import Seat, Serving
from ml.storage import decisions

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.25


class Speaker(NamedTuple):
    """A model that serves, with what every answer of it names.

    `role` is champion, challenger, or previous: the champion before, while the new one is watched. `columns` are those
    of its feature set, in order.
    """

    seat: Seat
    model: str
    version: str | None
    role: str
    feature_set: str
    horizon: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Served:
    """What serves for an experiment since a moment (ns UTC).

    `versions` are the registered ones, newest first; `fault` says why a later decision could not be followed.
    """

    name: str
    serving: Serving
    champion: Speaker | None
    beside: Speaker | None
    versions: tuple[Version, ...]
    loaded_at: int
    fault: str | None = None


class ServedModels:
    """The models of all experiments of a data root.

    Args:
        root: the data root; its registry and `lobforge.toml` are read now and at each reload.
        reloaded: it is told of each reload whether all decisions could be followed.
    """

    def __init__(self, root: DataRoot, reloaded: Callable[[bool], None]) -> None:
        self.root = root
        self.reloaded = reloaded
        self._lock = asyncio.Lock()
        self._seen = _sizes(root)
        self.configuration = config.load(root)
        self.served: Mapping[str, Served] = {
            name: _loaded(root, self.configuration, name, None) for name in _names(root)
        }

    def of(self, name: str) -> Served | None:
        """What serves for an experiment now; None if nothing was ever decided about its models."""
        return self.served.get(name)

    async def reload(self) -> None:
        """Load what the registry says now, beside what serves; a model that is refused changes nothing."""
        async with self._lock:
            self._seen = _sizes(self.root)
            self.configuration, self.served = await asyncio.to_thread(self._load)
            self.reloaded(not any(one.fault for one in self.served.values()))

    async def follow(self) -> None:
        """Reload after each decision, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if _sizes(self.root) != self._seen:
                try:
                    await self.reload()
                except LobforgeError:  # lobforge.toml cannot be read
                    LOG.exception("The models in service stay")
                    self.reloaded(False)

    def _load(self) -> tuple[Config, Mapping[str, Served]]:
        configuration = config.load(self.root)
        before = self.served
        return configuration, {
            name: _loaded(self.root, configuration, name, before.get(name)) for name in _names(self.root)
        }


def _loaded(root: DataRoot, configuration: Config, name: str, before: Served | None) -> Served:
    try:
        serving = as_now(root, configuration, name)
        versions = tuple(Registry(root, name).versions()) if serving.champion else ()
    except LobforgeError as error:
        LOG.exception("%s: the models in service stay", name)
        return replace(before or Served(name, Serving(None), None, None, (), time_ns()), fault=str(error))
    role = "previous" if serving.stage is Stage.WATCH else "challenger"
    champion, beside = _speaker(serving.champion, "champion", versions), _speaker(serving.beside, role, versions)
    return Served(name, serving, champion, beside, versions, time_ns())


def _speaker(seat: Seat | None, role: str, versions: tuple[Version, ...]) -> Speaker | None:
    if seat is None:
        return None
    card = seat.model.card
    number = next((one.version for one in versions if one.model_id == seat.model.id), None)
    return Speaker(seat, seat.model.id, number, role, card.feature_set, card.horizon, card.features)


def _names(root: DataRoot) -> list[str]:
    return [name for name in decisions.names(root) if name != LAYERING_MODEL]


def _sizes(root: DataRoot) -> dict[str, int]:
    return {name: decisions.journal_size(root, name) for name in _names(root)}
