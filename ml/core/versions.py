"""Versions of the code that computes stored numbers.

Raise a part's version when its outputs change. A comment, a rename or a moved file changes no output, so it changes no
version: stored days, checkpoints and the champion stay valid. `tests/golden` computes every output from fixed input and
fails where outputs change and the version here does not.
"""

VERSIONS = {
    "archives": 1,
    "kernel": 3,
    "candles": 2,
    "features.book": 1,
    "features.flow": 2,
    "features.trades": 2,
    "features.price": 2,
    "features.candles": 2,
    "features.context": 1,
    "features.pressure": 1,
    "labels": 1,
    "unified_240": 1,
    "candle_targets": 1,
    "legacy_files": 1,
    "legacy_features": 2,
    "dataset": 3,
    "drift": 3,
    "learning": 4,
    "layering": 3,
}
"""The version of each part. `kernel` is frames to events, trades, validity, samples and the checkpoint of a day;
`features.*` are the feature families of `base_110`, and that of the table `spoofing_pressure`."""

PRESSURE = ("kernel", "features.pressure")
FAMILIES = tuple(part for part in VERSIONS if part.startswith("features.") and part not in PRESSURE)
ARCHIVES = ("archives",)
KERNEL = ("kernel",)
CANDLES = ("kernel", "candles")
FEATURES = ("kernel", *FAMILIES)
LABELS = ("kernel", "labels")
CANDLE_FEATURES = (*CANDLES, "unified_240")
CANDLE_TARGETS = (*CANDLES, "candle_targets")
LEGACY_FILES = ("legacy_files",)
LEGACY_FEATURES = (*CANDLES, "legacy_features")
TRAINING_FEATURES = (*FEATURES, "labels")
DATASET = (*TRAINING_FEATURES, "dataset")
DRIFT = (*FEATURES, "drift")
LAYERING = ("kernel", "layering")
LEARNING = (*DATASET, "learning")

PARTS_OF = {
    "archive_files": ARCHIVES,
    "raw_frames": KERNEL,
    "book_events": KERNEL,
    "trades": KERNEL,
    "validity": KERNEL,
    "trade_validity": KERNEL,
    "quarantine": KERNEL,
    "book_samples": KERNEL,
    "candles": CANDLES,
    "features": FEATURES,
    "spoofing_pressure": PRESSURE,
    "future_labels": LABELS,
    "training_features": TRAINING_FEATURES,
    "served_predictions": LABELS,
    "candle_features": CANDLE_FEATURES,
    "candle_targets": CANDLE_TARGETS,
    "legacy_110": LEGACY_FEATURES,
    "legacy_112": LEGACY_FEATURES,
    "layering_cues": LAYERING,
    "feature_profile": DRIFT,
    "drift_report": DRIFT,
}
"""The parts on which each partitioned table depends."""
_FIRST = {
    "archives": "archive_files",
    "kernel": "raw_frames",
    "candles": "candles",
    "labels": "future_labels",
    "unified_240": "candle_features",
    "candle_targets": "candle_targets",
    "legacy_features": "legacy_110 and legacy_112",
    "drift": "feature_profile",
    "layering": "layering_cues",
    "features.pressure": "spoofing_pressure",
} | dict.fromkeys(FAMILIES, "features")
"""The asset that a part computes first; what is downstream of it changes too."""
SWEPT = "swept"
"""Stands for the version of a file that was found without an entry: unknown, so not current."""


def code_version(parts: tuple[str, ...]) -> str:
    """The versions of several parts as text, for example `kernel 1, labels 1`."""
    return ", ".join(f"{part} {VERSIONS[part]}" for part in parts)


def outdated(table: str, stored: str) -> str | None:
    """The first asset to rebuild where a stored file of a table was made by older code; None where it is current.

    Args:
        table: name of a table; one that is not versioned is current.
        stored: the code version in the manifest, as `code_version` gave it, perhaps with a set's hash before it.
    """
    if stored == SWEPT and table in PARTS_OF:
        return _FIRST[PARTS_OF[table][0]]
    made_by = {part: number for part, _, number in (one.rpartition(" ") for one in _parts(stored))}
    for part in PARTS_OF.get(table, ()):
        if part in made_by and made_by[part] != str(VERSIONS[part]):
            return _FIRST[part]
    return None


def _parts(stored: str) -> list[str]:
    return stored.rpartition("-")[2].split(", ")
