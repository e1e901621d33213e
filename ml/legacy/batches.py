"""Batches of the predecessor's collector: an array of features, and labels and metadata as JSON beside it.

Here: reading one batch.
Not here: parquet files of its feature store (`ml.legacy.offline`).

Rows of the three files belong together by position. The name of a batch says nothing: its date is the local one of the
save, and its number starts again with every process, so that later batches overwrote earlier ones, file by file.
"""

import json
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl

from ml.core.errors import SourceRefused
from ml.legacy import arrays
from ml.legacy.clock import normalise
from ml.legacy.columns import FEATURES_112, LABELS, QUOTED
from ml.legacy.parts import SAME_PRICE, Part, finish
from ml.legacy.tables import text_of

WIDTHS = (110, 112)
LIKE_A_PRICE = 0.2
"""Relative difference below which a feature is a price of the instrument and not the result of a scaler."""
STEPS = 20
SAME_STEPS = 0.75
"""Share of steps in the same direction below which two series are of different moments; judged by STEPS of them."""
MID_PRICE = FEATURES_112.index("mid_price")
_LABELS = {"current_mid_price": "current_mid_price", "book_imbalance": "current_imbalance"}
_METADATA = {"current_mid_price": "mid_price", "book_imbalance": "imbalance"}
"""Names in labels and metadata of columns that are named otherwise here."""
_NOT_KEPT = {"timestamp", "symbol", "signal", "feature_count"}
"""Keys that are read apart, and a count that the array's own width replaces."""


class Rows(NamedTuple):
    """Rows of a JSON file: its role, its own names of `QUOTED` columns, and the rows."""

    role: str
    names: dict[str, str]
    rows: list[dict[str, Any]]

    def column(self, part: Part, name: str, dtype: pl.DataType) -> pl.Series:
        """A column of ours in its type; values that do not fit are noted in the part."""
        key = self.names.get(name, name)
        raw = _series(key, [row.get(key) for row in self.rows], dtype).to_frame()
        return part.take(raw, key, dtype, self.role).alias(name)

    def unread(self) -> list[str]:
        """Keys that no table has."""
        known = {*LABELS, *_NOT_KEPT, *(self.names.get(name, name) for name in QUOTED)}
        return sorted({f"{self.role}.{key}" for row in self.rows for key in row.keys() - known})


def read(part: Part, venue: str) -> Part:
    """The rows of a batch.

    Raises:
        SourceRefused: the batch cannot be trusted as a whole.
    """
    array = arrays.load(part.source.files["features"])
    if array.ndim != 2 or array.shape[1] not in WIDTHS:
        raise SourceRefused("bad_width", f"the array is {array.shape}", len(array))
    metadata = Rows("metadata", _METADATA, _first_signals(_rows(part, "metadata", len(array))))
    labels = Rows("labels", _LABELS, _rows(part, "labels", len(array)))
    raw = _joined(part, array, metadata, labels)
    part.unread = [*metadata.unread(), *labels.unread()]
    return finish(part, raw, f"npy_{array.shape[1]}", venue)


def _joined(part: Part, array: np.ndarray, metadata: Rows, labels: Rows) -> pl.DataFrame:
    """One row per sample; what labels and metadata both say is taken from the labels."""
    ours = {name: metadata.column(part, name, dtype) for name, dtype in QUOTED.items()}
    theirs = {name: labels.column(part, name, dtype) for name, dtype in QUOTED.items()}
    quoted = {name: theirs[name].fill_null(ours[name]) for name in QUOTED}
    price = "current_mid_price"
    times = _times(metadata, labels, _apart(ours[price], theirs[price]))
    _same_features(array[:, MID_PRICE], quoted[price])
    return pl.DataFrame(
        {
            "symbol": [text_of(row.get("symbol") or part.source.symbol) for row in metadata.rows],
            "timestamp": times,
            **quoted,
            **{name: labels.column(part, name, pl.Float64()) for name in LABELS},
            **{name: array[:, k].astype(np.float64) for k, name in enumerate(FEATURES_112[: array.shape[1]])},
        }
    )


def _times(metadata: Rows, labels: Rows, apart: list[int]) -> pl.Series:
    """The time of each row, that of the metadata where it is one.

    Raises:
        SourceRefused: there is none, or metadata and labels are of different moments or prices: one of the files was
            overwritten by a later batch.
    """
    ours, theirs = (
        pl.Series([text_of(row.get("timestamp")) for row in one.rows], dtype=pl.String) for one in (metadata, labels)
    )
    ts = normalise(ours)["ts"]
    differing = (ts != normalise(theirs)["ts"]).arg_true().to_list()
    if differing or apart:
        detail = f"labels and metadata differ in {len(differing)} times and {len(apart)} prices"
        raise SourceRefused("mixed_batch", f"{detail} (first in row {min(differing + apart)})", ts.len())
    if ours.null_count() == theirs.null_count() == ts.len():
        raise SourceRefused("no_timestamps", "neither metadata nor labels have times", ts.len())
    return pl.select(pl.when(ts.is_null() & theirs.is_not_null()).then(theirs).otherwise(ours)).to_series()


def _apart(mids: pl.Series, prices: pl.Series) -> list[int]:
    return ((mids / prices - 1).abs() > SAME_PRICE).arg_true().to_list()


def _same_features(mids: np.ndarray, prices: pl.Series) -> None:
    """Raise if the features are of other moments than the prices beside them: a later batch overwrote one of the files.

    The feature `mid_price` may have gone through a scaler. Raw prices are compared as they are; the direction of each
    step survives any scaler, and agrees by chance in half of the steps.
    """
    beside = prices.to_numpy()
    known = np.isfinite(mids) & np.isfinite(beside) & (beside > 0)
    mids = mids[known].astype(np.float64)
    beside = beside[known]
    if not mids.size:
        return
    error = float(np.median(np.abs(mids / beside - 1)))
    if SAME_PRICE <= error < LIKE_A_PRICE:
        detail = f"the feature mid_price and the price beside it differ by {error:.2%} (median)"
        raise SourceRefused("mixed_batch", detail, prices.len())
    steps = np.sign(np.diff(mids))
    expected = np.sign(np.diff(beside.astype(np.float32)))
    moved = (steps != 0) & (expected != 0)
    same = int((steps == expected)[moved].sum())
    if moved.sum() >= STEPS and same < SAME_STEPS * moved.sum():
        detail = f"the feature mid_price moves with the price beside it in {same} of {moved.sum()} steps"
        raise SourceRefused("mixed_batch", detail, prices.len())


def _rows(part: Part, role: str, rows: int) -> list[dict[str, Any]]:
    """The samples of a JSON file, empty ones if there is no such file."""
    path = part.source.files.get(role)
    if path is None:
        return [{}] * rows
    document = _json(path.read_bytes(), role, rows)
    if role == "metadata":
        document = document.get("samples") if isinstance(document, dict) else None
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise SourceRefused("bad_json", f"{role} hold no list of samples", rows)
    if len(document) != rows:
        raise SourceRefused("length_mismatch", f"{rows} rows of features, {len(document)} of {role}", rows)
    return document


def _json(text: bytes, role: str, rows: int) -> Any:
    """A document; only the slower parser knows NaN and Infinity, which Python writes."""
    try:
        return json.loads(text) if b"NaN" in text or b"Infinity" in text else orjson.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceRefused("bad_json", f"{role}: {error}", rows) from error


def _first_signals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Metadata with three keys of the signal, which were one in the first version."""
    return [row if row.get("signal") is None else _one_signal(row["signal"]) | row for row in rows]


def _one_signal(signal: Any) -> dict[str, Any]:
    if isinstance(signal, dict):
        return {f"signal_{name}": value for name, value in signal.items()}
    return {"signal_type": signal}


def _series(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    """Values of one kind as such a column, others as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {float} or (kinds <= {int, float} and dtype == pl.Float64):
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    return pl.Series(name, [text_of(value) for value in values], dtype=pl.String)
