"""The kinds of models that learn from labelled cues: a random forest and boosted trees, as files without code.

Here: training, probabilities, what each feature counts, the bytes of each.
Not here: calibration, thresholds and the card (`ml.layering.adaptive`).
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ml.core.errors import ModelRefused
from ml.layering.features import NAMES
from ml.layering.layout import F64
from ml.market.book.layout import I64

FOREST_PARAMS: dict[str, Any] = {
    "n_estimators": 100,
    "max_depth": 10,
    "min_samples_split": 5,
    "min_samples_leaf": 2,
    "random_state": 42,
    "n_jobs": 1,
}
"""The predecessor's."""
BOOSTED_PARAMS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 7,
    "learning_rate": 0.05,
    "min_data_in_leaf": 10,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 1,
}
ROUNDS = 100
OPSET = 17


class Forest:
    """A trained random forest."""

    def __init__(self, values: F64, labels: I64) -> None:
        from sklearn.ensemble import RandomForestClassifier

        self._forest = RandomForestClassifier(**FOREST_PARAMS).fit(values.astype(np.float32), labels)

    def predict(self, values: F64) -> F64:
        """Probabilities f64 (n)."""
        return self._forest.predict_proba(values.astype(np.float32))[:, 1].astype(np.float64)

    def save(self) -> bytes:
        """As ONNX."""
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        columns: Any = [("cues", FloatTensorType([None, len(NAMES)]))]
        options = {id(self._forest): {"zipmap": False}}
        made: Any = to_onnx(self._forest, initial_types=columns, options=options, target_opset=OPSET, name="layering")
        return made.SerializeToString()

    @cached_property
    def importance(self) -> dict[str, float]:
        """How much each feature counts, as a share of one whole."""
        return dict(zip(NAMES, self._forest.feature_importances_.tolist(), strict=True))


class Boosted:
    """Trained trees of LightGBM."""

    def __init__(self, values: F64, labels: I64) -> None:
        import lightgbm as lgb

        data = lgb.Dataset(values, labels.astype(np.float64), feature_name=list(NAMES))
        self._booster: Any = lgb.train(BOOSTED_PARAMS, data, ROUNDS)

    def predict(self, values: F64) -> F64:
        """Probabilities f64 (n)."""
        return np.asarray(self._booster.predict(values, num_threads=1), np.float64)

    def save(self) -> bytes:
        """As LightGBM's text."""
        return self._booster.model_to_string().encode()

    @cached_property
    def importance(self) -> dict[str, float]:
        """Each feature's share of what all splits gained; 0 for all of a model without splits."""
        gained = self._booster.feature_importance("gain")
        return dict(zip(NAMES, (gained / max(gained.sum(), 1e-300)).tolist(), strict=True))


class Family(NamedTuple):
    """A kind of model: the file that holds it, how it is trained, and how what predicts is read back."""

    file: str
    fit: Callable[[F64, I64], Forest | Boosted]
    load: Callable[[bytes], Callable[[F64], F64]]


def _load_forest(content: bytes) -> Callable[[F64], F64]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except RuntimeError as error:  # what it raises has no class of its own in the public interface
        raise ModelRefused(f"The forest cannot be read as ONNX: {error}. Train it again.") from error

    def predict(values: F64) -> F64:
        found: Any = session.run(["probabilities"], {"cues": values.astype(np.float32)})[0]
        return found[:, 1].astype(np.float64)

    return predict


def _load_boosted(content: bytes) -> Callable[[F64], F64]:
    import lightgbm as lgb

    try:
        booster = lgb.Booster(model_str=content.decode())
    except (lgb.basic.LightGBMError, UnicodeDecodeError) as error:
        raise ModelRefused(f"The trees cannot be read as LightGBM's text: {error}. Train them again.") from error
    return lambda values: np.asarray(booster.predict(values, num_threads=1), np.float64)


FAMILIES = {
    "random_forest": Family("model.onnx", Forest, _load_forest),
    "lightgbm": Family("model.txt", Boosted, _load_boosted),
}
