"""Files as the predecessor bots wrote them, in every generation, hostile ones included.

Here: the writers, and `everything`, which writes a whole tree and counts what must become of each row.
Not here: reading them.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from ml.legacy.columns import DERIVED, FEATURES_112, LAGGED

DAY = 1_762_473_600_000
"""2025-11-07 00:00 UTC in ms."""
STEP = 20_000


class Hostile:
    """Runs a command if it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@dataclass
class Truth:
    """Counted while writing: rows by fate, and the samples that must come out once each."""

    rows: int = 0
    placed: int = 0
    samples: set = field(default_factory=set)
    quarantined: dict = field(default_factory=dict)

    def take(self, symbol, times, bad=None):
        """Count rows; `bad` gives those without a usable time by reason."""
        bad = bad or {}
        self.rows += len(times) + sum(bad.values())
        self.placed += len(times)
        self.samples |= {(symbol, t) for t in times}
        self.refuse(0, **bad)

    def refuse(self, rows, **reasons):
        """Count rows that must be quarantined."""
        self.rows += rows
        for reason, n in reasons.items():
            self.quarantined[reason] = self.quarantined.get(reason, 0) + n

    @property
    def duplicates(self):
        return self.placed - len(self.samples)


def times(n, start=DAY + 3_600_000, seed=0):
    """Irregular ms stamps, about 20 s apart."""
    return (start + np.arange(n) * STEP + np.random.default_rng(seed).integers(-900, 900, n)).tolist()


def prices(n, seed=0):
    """A walk whose steps often move more than 10 bps in a minute."""
    return (50_000 * np.exp(np.random.default_rng(seed).normal(0, 8e-4, n).cumsum())).round(1).tolist()


def their_labels(ts, mids, horizon, tolerance=10_000):
    """Their rule: the first later sample within a tolerance of the target."""
    found = []
    for k, t in enumerate(ts):
        later = next((j for j in range(k + 1, len(ts)) if abs(ts[j] - t - horizon * 1000) <= tolerance), None)
        found.append(None if later is None else mids[later] / mids[k] - 1)
    return found


def direction(movement, code="-1/0/1"):
    """A movement's class in one of the two codes."""
    if movement is None:
        return None
    return (1 if movement > 1e-3 else -1 if movement < -1e-3 else 0) + (code == "0/1/2")


def features(mids, width=112, scaled=False, seed=0):
    """float32 rows whose third column is the mid price, or its scaled value."""
    rows = np.random.default_rng(seed).normal(size=(len(mids), width)).astype(np.float32)
    mids = np.array(mids)
    rows[:, 2] = (mids - mids.mean()) / mids.std() if scaled else mids
    return rows


def batch(
    root, symbol, name, ts, mids, *, width=112, labelled=True, first=False, scaled=False, stamped=True, array=None
):
    """One batch of the collector: array, labels, metadata; returns its three paths."""
    paths = [
        root / "ml_training" / symbol / f
        for f in (f"features/{name}.npy", f"labels/{name}.json", f"metadata/{name}.json")
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    np.save(paths[0], features(mids, width, scaled, seed=len(name)) if array is None else array)
    moves = {h: their_labels(ts, mids, h, 2_000) if labelled else [None] * len(ts) for h in (10, 30, 60)}
    labels = []
    for k, (t, mid) in enumerate(zip(ts, mids, strict=True)):
        row = {f"future_movement_{h}s": moves[h][k] for h in moves} | {
            f"future_direction_{h}s": direction(moves[h][k]) for h in moves
        }
        row |= {"timestamp": t} if stamped else {}
        labels.append(
            row | {"current_mid_price": mid, "current_imbalance": 0.5, "signal_type": "buy", "signal_confidence": 0.7}
        )
    paths[1].write_text(json.dumps(labels))
    signal = {"signal": "buy"} if first else {"signal_type": "buy", "signal_confidence": 0.7, "signal_strength": "WEAK"}
    samples = [
        {
            "timestamp": t,
            "symbol": symbol,
            "mid_price": m,
            "spread": 0.1,
            "imbalance": 0.5,
            "feature_count": 110,
            **signal,
        }
        for t, m in zip(ts, mids, strict=True)
    ]
    shape = {"symbol": symbol, "batch_number": 1, "sample_count": len(ts), "feature_shape": [len(ts), width]}
    paths[2].write_text(json.dumps({"batch_info": shape, "samples": samples}))
    return paths


def offline(root, date, clock, symbol, ts, mids, *, names="named_112", code="0/1/2", labelled=True):
    """One file of the feature store; `ts` is whatever stands in its time column."""
    wide = features(mids, 112).astype(np.float64)
    columns = {"symbol": symbol, "timestamp": ts}
    if names == "numbered_110":
        columns |= {f"feature_{k:03d}": wide[:, k] for k in range(110)} | {"mid_price": mids}
    elif names == "numbered_112":
        columns |= {f"feature_{k:03d}": wide[:, k] for k in range(112)} | {"current_mid_price": mids}
    else:
        columns |= {name: wide[:, k] for k, name in enumerate(FEATURES_112)} | {"current_mid_price": mids}
    horizons = (60, 180, 300) if names == "named_187" else (10, 30, 60)
    if names == "named_187":
        columns |= {name: np.arange(len(mids), dtype=float) for name in (*LAGGED, *DERIVED)}
    at = times(len(mids))
    for h in horizons:
        moves = their_labels(at, mids, h) if labelled else [None] * len(mids)
        columns[f"future_movement_{h}s"] = pd.array(moves, dtype="float64")
        columns[f"future_direction_{h}s"] = pd.array([direction(m, code) for m in moves], dtype="Int64")
    path = root / "feature_store" / "offline" / "training_features" / f"date={date}" / f"features_{clock}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns | {"signal_type": "hold", "signal_strength": "STRONG"}).to_parquet(
        path, compression="snappy", index=False
    )
    return path


def iso(ms):
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def everything(root):
    """A tree of all generations below `root`; returns what must become of its rows."""
    truth = Truth()
    _batches(root, truth)
    _offline(root, truth)
    _hostile(root, truth)
    (root / "raw_lob" / "BTCUSDT").mkdir(parents=True)
    (root / "raw_lob" / "BTCUSDT" / "x.parquet").write_bytes(b"PAR1")
    (root / "layering_adaptive_v1.pkl").write_bytes(b"\x80\x04.")
    return truth


def _batches(root, truth):
    """Both widths; names that lie about order; a batch across midnight; one that stands twice; the first metadata."""
    later = times(60, DAY + 7_200_000, 1)
    mids = prices(60, 1)
    batch(root, "BTCUSDT", "2025-11-07_batch_0001", later, mids)
    truth.take("BTCUSDT", later)
    early = times(60, seed=2)
    batch(root, "BTCUSDT", "2025-11-07_batch_0002", early, prices(60, 2), width=110, stamped=False)
    truth.take("BTCUSDT", early)
    across = times(30, DAY + 86_400_000 - 300_000, 3)
    batch(root, "ETHUSDT", "2025-11-09_batch_0001", across, prices(30, 3), scaled=True, first=True, labelled=False)
    truth.take("ETHUSDT", across)
    batch(root, "ETHUSDT", "2025-11-09_batch_0007", across, prices(30, 3))
    truth.take("ETHUSDT", across)


def _offline(root, truth):
    """Every generation of columns, every unit of time, and copies that a script appended."""
    for k, (names, unit) in enumerate(
        [("numbered_110", 1), ("numbered_112", 1000), ("named_112", 10**6), ("named_187", 1)]
    ):
        ts = times(40, DAY + (k + 5) * 3_600_000, k)
        truth.take("BTCUSDT", ts)
        offline(root, "2025-11-08", f"12000{k}", "BTCUSDT", [t * unit for t in ts], prices(40, k), names=names)
    copied = times(40, DAY + 5 * 3_600_000, 0)
    truth.take("BTCUSDT", copied)
    offline(root, "2025-11-08", "235959", "BTCUSDT", copied, prices(40, 0), labelled=False)
    mixed = times(6, DAY + 20 * 3_600_000, 9)
    numbers = [str(mixed[0]), str(mixed[2] * 1000), str(mixed[4] * 10**6), str(mixed[5] / 1000)]
    written = [*numbers, iso(mixed[1]), iso(mixed[3]).replace("+00:00", "Z"), "0", None, "noon"]
    truth.take("SOLUSDT", mixed, {"no_timestamp": 2, "bad_timestamp": 1})
    offline(root, "2025-11-07", "010203", "SOLUSDT", written, prices(9, 9))


def _hostile(root, truth):
    """Files that must be refused as a whole, each for its own reason; and one with values that are no numbers."""
    ts = times(5, DAY + 80_000_000, 5)
    mids = prices(5, 5)
    objects = np.empty(5, dtype=object)
    objects[:] = Hostile(root / "marker")
    wrong = {
        "object_array": {"array": objects},
        "bad_width": {"array": np.zeros((5, 109), np.float32)},
        "length_mismatch": {"array": np.zeros((7, 112), np.float32)},
    }
    for number, (reason, options) in enumerate(wrong.items()):
        batch(root, "XRPUSDT", f"2025-11-07_batch_{number:04d}", ts, mids, **options)
        truth.refuse(len(options["array"]), **{reason: len(options["array"])})
    cut = batch(root, "XRPUSDT", "2025-11-07_batch_0010", ts, mids)[0]
    cut.write_bytes(cut.read_bytes()[:-40])
    truth.refuse(5, truncated=5)
    torn = batch(root, "XRPUSDT", "2025-11-07_batch_0011", ts, mids)[2]
    torn.write_text(torn.read_text()[:50])
    truth.refuse(5, bad_json=5)
    other = batch(root, "XRPUSDT", "2025-11-07_batch_0012", ts, mids)[1]
    other.write_text(other.read_text().replace(str(ts[2]), str(ts[2] + 1)))
    truth.refuse(5, mixed_batch=5)
    odd = features(mids)
    odd[1, 7] = np.nan
    odd[2, 8] = np.inf
    odd[3, 9] = -np.inf
    batch(root, "XRPUSDT", "2025-11-07_batch_0013", ts, mids, array=odd)
    truth.take("XRPUSDT", ts)
    broken = root / "feature_store/offline/training_features/date=2025-11-07/features_040404.parquet"
    broken.write_bytes(b"PAR1 and no more")
    truth.refuse(0, bad_parquet=0)
