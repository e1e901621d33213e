"""Who serves the rows of a live stream: the champion, and the model beside it while one is tried or watched.

Here: the router of an experiment under its data root's policy.
Not here: the loop (`ml.promotion.rollout`), frames and features (`live.runner`).

A live router acts at once on errors, abstentions and processor time. Whether the answers were right is known only when
the days are stored: `assets.deployment` compares the models then, and this process follows the journal.
"""

from time import time_ns

from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.promotion import life
from ml.promotion.registry import Registry, changes
from ml.promotion.rollout import Rollout
from ml.promotion.serving import Serving


def router(root: DataRoot, configuration: Config, name: str) -> Rollout:
    """The router of an experiment's models; until something is promoted it withholds every row.

    Raises:
        ModelRefused: the champion was made for other features or by other code than what runs here.
    """
    return Rollout(Registry(root, name), configuration.lifecycle)


def as_now(root: DataRoot, configuration: Config, name: str) -> Serving:
    """The models that serve now, for a replay that decides nothing: whatever it meets, the journal stays.

    Raises:
        ModelRefused: one of them was made for other features or by other code than what runs here.
    """
    plan = configuration.lifecycle
    found = life.at_time(life.of(changes(root, name)), plan, time_ns())
    if found.champion is None:
        return Serving(None)
    registry = Registry(root, name)
    champion = registry.load_model(found.champion)
    beside = registry.load_model(found.beside) if found.beside else None
    return Serving(champion, beside, found.stage, plan.salt, plan.split_share)
