"""Named feature sets: which columns, in which order, under which hash.

Here: the sets and their hash over everything that gives a column its meaning.
Not here: the features (`ml.features.tick.table`), the versions of the code that computes them (`ml.core.versions`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from ml.core.errors import SettingsError
from ml.core.versions import code_version
from ml.features.pressure.table import PRESSURE
from ml.features.tick.table import FEATURES, Feature

ALL = (*FEATURES, *PRESSURE)
"""Everything that a live row holds, in order."""


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
    def positions(self) -> list[int]:
        """Where its columns stand among `ALL`."""
        return [ALL.index(feature) for feature in self.features]

    @property
    def has_pressure(self) -> bool:
        """Whether it has columns of the table `spoofing_pressure` beside those of the table `features`."""
        return any(feature in PRESSURE for feature in self.features)

    @property
    def hash(self) -> str:
        """Hex sha256, 16 digits, over names, order, dtype, units, formulas, windows and null policies."""
        text = json.dumps([self.name, "float64", [asdict(feature) for feature in self.features]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def code_version(self) -> str:
        """The versions of the code that its columns are computed by."""
        families = dict.fromkeys(feature.family for feature in self.features)
        return code_version(("kernel", *(f"features.{family}" for family in families)))


_SHORT = (
    "spread_ticks",
    "spread_bps",
    "micro_dev_bps",
    "vwmid5_dev_bps",
    "qi_1",
    "qi_3",
    "qi_5",
    "qi_10",
    "depth_bid_5",
    "depth_ask_5",
    "slope_bid",
    "slope_ask",
    "gap_bid_ticks",
    "gap_ask_ticks",
    "hhi_bid_10",
    "hhi_ask_10",
    "ofi_1_1s",
    "ofi_1_5s",
    "ofi_1_30s",
    "ofi_5_1s",
    "ofi_5_5s",
    "ofi_5_30s",
    "net_imb_1s",
    "net_imb_5s",
    "net_imb_30s",
    "cancel_imb_5s",
    "cancel_imb_30s",
    "update_rate_5s",
    "volume_imb_5s",
    "volume_imb_30s",
    "volume_imb_60s",
    "count_imb_5s",
    "count_imb_30s",
    "trade_rate_5s",
    "trade_rate_30s",
)
WHOLE = FeatureSet("base_110", FEATURES)
"""Every feature of the table; rows are whole an hour after a gap."""
BASE = FeatureSet("base_35", tuple(feature for feature in FEATURES if feature.id in _SHORT))
"""What models train on: rows are whole a minute after a gap."""
BASE_PRESSURE = FeatureSet("base_35_pressure", (*BASE.features, *PRESSURE))
"""The same with spoofing pressure, whose table must be stored for the days that are trained on."""
OF_SAMPLES = {chosen.name: chosen for chosen in (WHOLE, BASE)}
"""The sets whose columns all follow from samples."""
SETS = OF_SAMPLES | {BASE_PRESSURE.name: BASE_PRESSURE}


def feature_set(name: str) -> FeatureSet:
    """The set of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in SETS:
        raise SettingsError(f"Unknown feature set {name!r}. Available: {', '.join(SETS)}.")
    return SETS[name]
