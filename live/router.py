"""Who serves the rows of a live stream: the champion, and the model beside it while one is tried or watched.

Here: the router of an experiment under its data root's policy.
Not here: the loop (`ml.promotion.rollout`), frames and features (`live.runner`).

A live router acts on what it sees at once: errors, abstentions, processor time. What came of the answers is known only
when the days are stored; `assets.deployment` compares the models then, and this process follows the journal.
"""

from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.promotion.registry import Registry
from ml.promotion.rollout import Rollout


def router(root: DataRoot, listed: Config, name: str) -> Rollout:
    """The router of an experiment's models; until something is promoted it withholds every row.

    Raises:
        ModelRefused: the champion was made for other features or by other code than what runs here.
    """
    return Rollout(Registry(root, name), listed.lifecycle)
