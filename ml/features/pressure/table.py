"""The features of spoofing pressure: id, formula, unit, what they need.

Here: one line per feature, in the order in which `ml.features.pressure.kernel` computes them.
Not here: the functions, the named sets (`ml.features.sets`).

A lot is one addition to a level, see `ml.market.attribution`. S is the size scale of the feature table.
"""

from ml.core.time import DAY_NS, SECOND
from ml.features.tick.table import OWN, SIDES, Feature

FAMILY = "pressure"
TABLE = "spoofing_pressure"
SPAN = 10
"""Seconds over which pulls count."""
NEEDS = 91
"""Seconds since the lots were forgotten: the oldest that count are 90 s old, and a reset lies within a second."""
TEXTBOOK = "Di Nosse, Lillo, Consob draft"


def _feature(name: str, formula: str, unit: str, source: str = OWN) -> tuple[Feature, ...]:
    return tuple(
        Feature(
            f"{name}_{side}", FAMILY, f"{formula}, {side} side", unit, DAY_NS // SECOND, NEEDS, "null", source, True
        )
        for side in SIDES
    )


PRESSURE: tuple[Feature, ...] = (
    *_feature(
        "newborn_share", "lots of at least S / 2, younger than 90 s, mostly unfilled / depth, within 20 bps", "1"
    ),
    *_feature("pulled_rate", f"such lots cancelled within 20 bps in {SPAN} s / ({SPAN} s x S)", "1/s"),
    *_feature(
        "msci",
        f"SCI x C x max(C - C of the other side, 0); C share of the weighted depth pulled in {SPAN} s, SCI the change "
        "of the weighted imbalance by the pulls",
        "1",
        TEXTBOOK,
    ),
)
NAMES = tuple(feature.id for feature in PRESSURE)
