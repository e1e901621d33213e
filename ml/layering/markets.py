"""The simulated markets that the scorer is trained and tested on: each seed draws its own parameters.

Here: the ranges of the parameters, apart for training and for tests.
Not here: the market itself (`ml.simulation.exchange`).
"""

from collections.abc import Mapping

import numpy as np

from ml.core.time import SECOND
from ml.layering.finder import Flow
from ml.layering.training import TEST_SEEDS, TRAIN_SEEDS
from ml.simulation.episodes import Pieces
from ml.simulation.exchange import Exchange, run
from ml.simulation.instrument import INSTRUMENT

START_NS = 1_740_960_000 * SECOND
TRAIN: dict[str, Pieces] = {
    "best_size": ((2.0, 9.0), (16.0, 60.0)),
    "orders_per_second": ((4.0, 6.5), (9.0, 12.0)),
    "jumps": ((0.5, 0.85), (1.15, 1.6)),
    "makers": ((8, 10), (15, 20)),
    "background": ((0.6, 0.9), (1.15, 1.5)),
    "reaction": ((0.0, 0.1), (0.3, 0.5)),
}
TEST: dict[str, Pieces] = {
    "best_size": ((9.5, 15.5),),
    "orders_per_second": ((6.6, 8.9),),
    "jumps": ((0.86, 1.14),),
    "makers": ((11, 14),),
    "background": ((0.91, 1.14),),
    "reaction": ((0.11, 0.29),),
}
"""Each parameter of the market is drawn from one of its intervals."""


def market(seed: int, seconds: int) -> Flow:
    """The market of a seed, of training or of a test."""
    if seed in TRAIN_SEEDS:
        return _drawn(seed, seconds, TRAIN)
    if seed in TEST_SEEDS:
        return _drawn(seed, seconds, TEST)
    raise ValueError(f"seed {seed} is neither one of training nor one of a test")


def _drawn(seed: int, seconds: int, ranges: Mapping[str, Pieces]) -> Flow:
    rng = np.random.default_rng(seed)
    drawn = {name: _one(rng, pieces) for name, pieces in ranges.items()}
    exchange = Exchange(
        seed=seed,
        seconds=seconds,
        best_size=drawn["best_size"],
        orders_per_second=drawn["orders_per_second"],
        jumps=drawn["jumps"],
        makers=round(drawn["makers"]),
        background=drawn["background"],
        reaction=drawn["reaction"],
    )
    published = run(exchange, START_NS)
    return Flow(INSTRUMENT, published.books, published.trades)


def _one(rng: np.random.Generator, pieces: Pieces) -> float:
    low, high = pieces[int(rng.integers(len(pieces)))]
    return float(rng.uniform(low, high))
