"""Named feature sets: which columns, in which order, under which hash.

Here: the sets and their hash over everything that gives a column its meaning.
Not here: the features (`ml.features.table`), the code that computes them (`ml.fingerprint`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from ml.errors import SettingsError
from ml.features.table import FEATURES, Feature


@dataclass(frozen=True)
class FeatureSet:
    """A named, ordered choice of features; every column is float64."""

    name: str
    features: tuple[Feature, ...]

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return [feature.id for feature in self.features]

    @property
    def hash(self) -> str:
        """Hex sha256, 16 digits, over names, order, dtype, units, formulas, windows and null policies."""
        text = json.dumps([self.name, "float64", [asdict(feature) for feature in self.features]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


BASE = FeatureSet("base_35", FEATURES)
SETS = {BASE.name: BASE}


def feature_set(name: str) -> FeatureSet:
    """The set of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in SETS:
        raise SettingsError(f"There is no feature set {name!r}. There are {', '.join(SETS)}.")
    return SETS[name]
