"""Batches of the predecessor's collector: an array of features, and labels and metadata as JSON beside it.

Here: reading one batch.
Not here: parquet files of its feature store (`ml.legacy.offline`).

Rows of the three files belong together by position. The name of a batch says nothing: its date is the local one of the
save, and its number starts again with every process, so that later batches overwrote earlier ones, file by file.
"""

from typing import Any

import numpy as np
import orjson
import polars as pl

from ml.errors import SourceRefused
from ml.legacy import arrays
from ml.legacy.columns import FEATURES_112, HORIZONS, QUOTED
from ml.legacy.measures import SAME_PRICE
from ml.legacy.parts import Part, finish

WIDTHS = (110, 112)
_SIGNALS = ("signal_type", "signal_confidence", "signal_strength")
_LABELS = tuple(f"future_{what}_{h}s" for h in HORIZONS for what in ("movement", "direction"))


def read(part: Part, venue: str) -> Part:
    """The rows of a batch.

    Raises:
        SourceRefused: the batch cannot be trusted as a whole.
    """
    files = part.source.files
    array = arrays.load(files["features"])
    if array.ndim != 2 or array.shape[1] not in WIDTHS:
        raise SourceRefused("bad_width", f"the array is {array.shape}", len(array))
    metadata, labels = _samples(part, len(array)), _labels(part, len(array))
    for name, rows in (("metadata", metadata), ("labels", labels)):
        if rows and len(rows) != len(array):
            raise SourceRefused("length_mismatch", f"{len(array)} rows of features, {len(rows)} of {name}", len(array))
    raw = _joined(array, metadata, labels, part.source.symbol)
    return finish(part, raw, f"npy_{array.shape[1]}", venue)


def _joined(
    array: np.ndarray, metadata: list[dict[str, Any]], labels: list[dict[str, Any]], symbol: str | None
) -> pl.DataFrame:
    empty: list[dict[str, Any]] = [{}] * len(array)
    meta, label = metadata or empty, labels or empty
    times, others = _times(meta), _times(label)
    _same_batch(times, others, _floats(meta, "mid_price"), _floats(label, "current_mid_price"), len(array))
    if all(t is None for t in times) and all(t is None for t in others):
        raise SourceRefused("no_timestamps", "neither metadata nor labels have times", len(array))
    columns: dict[str, Any] = {
        "symbol": [row.get("symbol") or symbol for row in meta],
        "timestamp": pl.Series([a or b for a, b in zip(times, others, strict=True)], dtype=pl.String),
        "current_mid_price": _floats(label, "current_mid_price").fill_null(_floats(meta, "mid_price")),
        "spread": _floats(meta, "spread"),
        "book_imbalance": _floats(label, "current_imbalance").fill_null(_floats(meta, "imbalance")),
        **_signals(label, meta),
        **{
            name: _typed(meta, name)
            for name in QUOTED
            if name.startswith(("manipulation", "market", "feature_quality"))
        },
        **{name: _floats(label, name) for name in _LABELS},
        **{name: array[:, k].astype(np.float64) for k, name in enumerate(FEATURES_112[: array.shape[1]])},
    }
    return pl.DataFrame(columns)


def _same_batch(
    times: list[str | None], others: list[str | None], mids: pl.Series, prices: pl.Series, rows: int
) -> None:
    """Raise if metadata and labels are of different moments or prices: one was overwritten by a later batch."""
    differing = [k for k, (a, b) in enumerate(zip(times, others, strict=True)) if a and b and a != b]
    apart = ((mids / prices - 1).abs() > SAME_PRICE).arg_true()
    if differing or apart.len():
        first = differing[0] if differing else int(apart[0])
        raise SourceRefused(
            "mixed_batch",
            f"labels and metadata differ in {len(differing)} times and {apart.len()} prices (first in row {first})",
            rows,
        )


def _samples(part: Part, rows: int) -> list[dict[str, Any]]:
    document = _json(part, "metadata", rows)
    if document is None:
        return []
    samples = document.get("samples") if isinstance(document, dict) else None
    return _dicts(samples, "metadata", rows)


def _labels(part: Part, rows: int) -> list[dict[str, Any]]:
    document = _json(part, "labels", rows)
    return [] if document is None else _dicts(document, "labels", rows)


def _json(part: Part, role: str, rows: int) -> Any:
    path = part.source.files.get(role)
    if path is None:
        return None
    try:
        return orjson.loads(_numbers(path.read_bytes()))
    except orjson.JSONDecodeError as error:
        raise SourceRefused("bad_json", f"{role}: {error}", rows) from error


def _numbers(text: bytes) -> bytes:
    """Python writes NaN and Infinity, which are no JSON; as values they are null."""
    if b"NaN" not in text and b"Infinity" not in text:
        return text
    for word in (b"-Infinity", b"Infinity", b"NaN"):
        text = text.replace(b": " + word, b": null").replace(b":" + word, b":null")
    return text


def _dicts(rows: object, role: str, expected: int) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SourceRefused("bad_json", f"{role} hold no list of samples", expected)
    return rows  # type: ignore[return-value]


def _times(rows: list[dict[str, Any]]) -> list[str | None]:
    return [None if (value := row.get("timestamp")) is None else str(value) for row in rows]


def _signals(labels: list[dict[str, Any]], metadata: list[dict[str, Any]]) -> dict[str, pl.Series]:
    """The signal: three keys in labels and metadata, or in the first version one key of the metadata."""
    rows = [{**_one_signal(m), **{n: m[n] for n in _SIGNALS if m.get(n) is not None}} for m in metadata]
    rows = [
        {**row, **{n: lab[n] for n in _SIGNALS if lab.get(n) is not None}}
        for row, lab in zip(rows, labels, strict=True)
    ]
    return {name: _typed(rows, name) for name in _SIGNALS}


def _one_signal(row: dict[str, Any]) -> dict[str, Any]:
    signal = row.get("signal")
    if isinstance(signal, dict):
        return {f"signal_{name}": value for name, value in signal.items()}
    return {} if signal is None else {"signal_type": signal}


def _floats(rows: list[dict[str, Any]], name: str) -> pl.Series:
    values = [value if isinstance(value := row.get(name), int | float) else None for row in rows]
    return pl.Series(name, values, dtype=pl.Float64, strict=False)


def _typed(rows: list[dict[str, Any]], name: str) -> pl.Series:
    dtype = QUOTED[name]
    if dtype == pl.Float64:
        return _floats(rows, name)
    if dtype == pl.Boolean:
        return pl.Series(name, [v if isinstance(v := row.get(name), bool) else None for row in rows], dtype=pl.Boolean)
    texts = [
        None if (v := row.get(name)) is None else v if isinstance(v, str) else orjson.dumps(v).decode() for row in rows
    ]
    return pl.Series(name, texts, dtype=pl.String)
