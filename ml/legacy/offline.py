"""Parquet files of the predecessor's feature store, in every generation of their columns.

Here: reading one file.
Not here: our own feature store (`ml.feature_store`).

Features are named `feature_000` to 109 (made from arrays, with the price as `mid_price`), to 111, or by real names,
and since December 2025 with 75 more. The date of the folder is the local one of the first row.
"""

import polars as pl

from ml.core.errors import SourceRefused
from ml.legacy.columns import FEATURES, FEATURES_112
from ml.legacy.parts import Part, finish
from ml.legacy.tables import load

_NUMBERED = {f"feature_{k:03d}": name for k, name in enumerate(FEATURES_112)}


def read(part: Part, venue: str) -> Part:
    """The rows of a file.

    Raises:
        SourceRefused: it is no parquet file, or its columns are of no known generation.
    """
    frame = load(part.source.files["data"])
    generation = _generation(frame)
    if generation.startswith("numbered"):
        if "current_mid_price" not in frame.columns and "mid_price" in frame.columns:
            frame = frame.rename({"mid_price": "current_mid_price"})
        part.unread = [n for n in frame.columns if n in FEATURES]
        frame = frame.drop(part.unread).rename({old: name for old, name in _NUMBERED.items() if old in frame.columns})
    return finish(part, frame, generation, venue)


def _generation(frame: pl.DataFrame) -> str:
    names = set(frame.columns)
    if not {"symbol", "timestamp"} <= names:
        raise SourceRefused("unknown_columns", f"no symbol and timestamp among {len(names)} columns", frame.height)
    if set(_NUMBERED) <= names:
        return "numbered_112"
    if set(list(_NUMBERED)[:110]) <= names:
        return "numbered_110"
    if set(FEATURES) <= names:
        return "named_187"
    if set(FEATURES_112) <= names:
        return "named_112"
    lacking = [n for n in FEATURES_112 if n not in names]
    raise SourceRefused("unknown_columns", f"{len(lacking)} features are missing (first {lacking[0]})", frame.height)
