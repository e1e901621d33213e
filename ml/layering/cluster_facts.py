"""How often a market has clusters: a simulated market must be about as hard to search as a recorded one.

Here: the facts and their bands.
Not here: facts of books and trades (`ml.simulation.stylised`), the market (`ml.simulation.exchange`).
"""

from ml.layering import layout
from ml.layering.calibration import kept
from ml.layering.features import NAMES
from ml.layering.finder import Flow, Found
from ml.layering.training import found_in
from ml.simulation.stylised import Band

LAYERS = 3
RESTED_S = 0.8
"""Lots that all stood for so long before the first was pulled."""


def _between(fact: str, btc: float, eth: float) -> Band:
    return Band(fact, (btc + eth) / 2, min(btc, eth) / 2, max(btc, eth) * 2)


BANDS = (
    _between("clusters_per_hour", 9_680, 12_365),
    _between("clusters_of_3_per_hour", 231, 2_899),
    _between("rested_clusters_per_hour", 94, 676),
)
"""BTCUSDT and ETHUSDT perpetual futures of Binance, 420 s each of 19 July 2024: half of the one to double the other."""


def measure(flow: Flow) -> dict[str, float]:
    """The facts of a market: clusters an hour, those of three lots and more, and those that rested before the pull.

    The last are counted once in two seconds and side, as cues are.
    """
    found, hours = found_in(flow)
    return {name: count / hours for name, count in counts(found).items()}


def counts(found: Found) -> dict[str, int]:
    """How many clusters each fact counts."""
    several = found.values[:, NAMES.index("layers")] >= LAYERS
    rested = several & (found.values[:, NAMES.index("rest")] > RESTED_S)
    times, sides = found.header[:, layout.C_TS], found.header[:, layout.C_SIDE]
    return {
        "clusters_per_hour": len(found),
        "clusters_of_3_per_hour": int(several.sum()),
        "rested_clusters_per_hour": len(kept(times, sides, rested)),
    }


def compare(facts: dict[str, float]) -> list[tuple[Band, float, bool]]:
    """Each band with the value and whether it holds."""
    return [(band, facts[band.fact], band.holds(facts[band.fact])) for band in BANDS]
