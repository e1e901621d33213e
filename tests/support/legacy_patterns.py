"""Layering files as the predecessor wrote them: the collector's, and the copies of its label scripts.

Here: the writers, and `every_pattern`, which writes all generations and says what each pattern must become.
Not here: samples and features (`tests.support.legacy_files`).
"""

import json

import pandas as pd

from ml.legacy.columns import OUTCOME, PATTERN
from tests.support.legacy_files import DAY


def pattern(number, *, label=None, by=None, **values):
    """One row of the collector; market context is a stub in their code."""
    row = dict.fromkeys(name for name in PATTERN if name not in OUTCOME)
    ts = DAY + 1_000 * number
    row |= {"data_id": f"BTCUSDT_{ts}_{number}", "timestamp": ts, "symbol": "BTCUSDT", "market_regime": "unknown"}
    row |= {
        "volatility_24h": 0.0,
        "layer_count": 3,
        "cancellation_rate": 0.9,
        "is_true_layering": label,
        "label_source": by,
    }
    return row | values


def write(root, name, rows, index=False):
    """A file of patterns; the index column of pandas may be there."""
    path = root / "ml_training" / "layering" / f"layering_data_{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows)
    frame["is_true_layering"] = frame["is_true_layering"].astype(object)
    (frame.set_index(pd.Index(range(7, 7 + len(rows)), name="old")) if index else frame).to_parquet(path, index=index)
    return path


def every_pattern(root):
    """All generations; returns for each id the label, who gave it and the outcome."""
    base = [pattern(k) for k in range(6)]
    base[1] |= {"is_true_layering": True, "label_source": "manual"}
    base[2] |= {"is_true_layering": False, "label_source": "price_action_30s"}
    write(root, "20251107_000000", base, index=True)
    moved = {
        "outcome_label": "success",
        "outcome_movement_bps": 4.0,
        "outcome_source": "price",
        "outcome_confidence": 0.8,
    }
    write(root, "20251107_000000_outcome", [pattern(k, label=False, by="automatic_outcome", **moved) for k in range(4)])
    write(
        root,
        "20251107_000000_labeled",
        [pattern(2, label=True, by="automatic"), pattern(3, label=True, by="price_movement_strong"), pattern(9)],
    )
    write(root, "20251108_000000", [pattern(20, data_id=None), pattern(21, timestamp=0)])
    stated = {"total_collected": 7, "total_labeled": 4, "total_saved": 13, "last_updated": "2025-11-08"}
    (root / "ml_training" / "layering" / "statistics.json").write_text(json.dumps(stated))
    truth = {
        0: (False, "automatic_outcome", "success"),
        1: (True, "manual", "success"),
        2: (False, "price_action_30s", "success"),
        3: (True, "price_movement_strong", "success"),
        4: (None, None, None),
        5: (None, None, None),
        9: (None, None, None),
    }
    return {pattern(k)["data_id"]: fate for k, fate in truth.items()}
