"""No output changes without its version: every stored table, computed from fixed input, against what is on record.

`make golden` rewrites the record; read its diff before you commit it.
"""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from ml.core.versions import PARTS_OF, code_version
from ml.features.candle.build import build as unified
from ml.labels import targets
from tests.golden.digest import digest, equal
from tests.support.candles import PAIR, candle_frame

RECORD = Path(__file__).parent / "record.json"
FRAMES = Path(__file__).parent / "simulated_frames.txt"
INGESTED = (
    "raw_frames",
    "book_events",
    "trades",
    "validity",
    "trade_validity",
    "quarantine",
    "candles",
    "book_samples",
    "features",
    "future_labels",
    "training_features",
)
RECORDED = ("binance_raw/usdm__btcusdt", "binance_raw/usdm__ethusdt")


@pytest.fixture
def legacy_days():
    """Made days of the predecessor's columns, by set."""
    from tests.support.legacy_days import days

    return days()


@pytest.fixture
def ingested_frames(simulated, ingested, request):
    """The simulated days, where the simulation gives the frames on record: its arithmetic is the processor's own."""
    frames = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(simulated.iterdir()))).hexdigest()[:16]
    if request.config.getoption("--write-golden"):
        FRAMES.write_text(frames + "\n")
    if FRAMES.read_text().strip() != frames:
        pytest.skip("SIMULATED MARKET DIFFERS on this processor from that of the golden record")
    return ingested


def simulated_tables(ingested):
    """The tables that the job `ingest` made of two simulated days."""
    found = {}
    for table in INGESTED:
        for date in ("2025-03-03", "2025-03-04"):
            (path,) = ingested.table(table).glob(f"date={date}/*.parquet")
            rows = pl.read_parquet(path)
            if table == "raw_frames":  # the checkpoint names the versions
                rows = rows.filter(pl.col("kind") != "checkpoint")
            found[f"{table} {date}"] = table, digest(rows)
    return found


def recorded_tables(market):
    """Features, labels, spoofing pressure and layering cues of the recorded Binance minutes."""
    from ml.core.config import LabelPlan
    from ml.layering.scan import flows_of
    from ml.learning import from_captures
    from ml.market.days.infer_instrument import infer_instrument
    from tests.support.scenario import chain_of

    found = {}
    for name in RECORDED:
        folder, stem = name.split("/")
        paths = sorted((market / folder).glob(f"{stem}*"))
        chain = chain_of(*paths)
        (instrument,) = chain.instruments()
        made = from_captures.make(chain, infer_instrument(chain, instrument), "2024-07-19", LabelPlan())
        found[f"features {instrument}"] = "features", digest(made.features)
        found[f"future_labels {instrument}"] = "future_labels", digest(made.labels)
        for flow in flows_of(paths):
            found[f"spoofing_pressure {instrument}"] = "spoofing_pressure", digest(pressure_in(flow))
            found[f"layering_cues {instrument}"] = "layering_cues", digest(cues_in(flow).explode("prices"))
    return found


def pressure_in(flow):
    """Spoofing pressure of a flow: times, values, and why they are null."""
    from ml.features.pressure.rows import Pressure
    from ml.features.pressure.table import NAMES

    ts, values, codes = zip(*Pressure(flow.instrument).take(flow.books, flow.trades), strict=True)
    columns = dict(zip(NAMES, zip(*values, strict=True), strict=True))
    return pl.DataFrame({"ts": ts, "code": codes} | columns).with_columns(pl.col(NAMES).fill_nan(None))


def cues_in(flow):
    """The cues of a flow at a threshold that a recorded minute reaches."""
    from ml.layering.calibration import Calibration
    from ml.layering.days import cue_frame
    from ml.layering.detector import Detector
    from ml.layering.model import load

    low = Calibration(0.05, 2.0, "simulator")
    return cue_frame(Detector(flow.instrument, load(), low).take(flow.books, flow.trades), low.threshold)


def candle_tables(_):
    """Features and targets of a random walk of candles."""
    candles = candle_frame()
    return {
        "candle_features": ("candle_features", digest(unified(candles, PAIR))),
        "candle_targets": ("candle_targets", digest(targets.label(candles, PAIR))),
    }


def legacy_tables(days):
    """The predecessor's columns of a made day."""
    return {name: (name, digest(rows)) for name, (_, rows) in days.items()}


@pytest.mark.parametrize(
    ("given", "compute"),
    [
        ("ingested_frames", simulated_tables),
        ("market", recorded_tables),
        ("tmp_path", candle_tables),
        ("legacy_days", legacy_tables),
    ],
    ids=["simulated", "recorded", "candles", "legacy"],
)
def test_no_output_changes_without_its_version(given, compute, request):
    """Raise the version in ml/core/versions.py when an output is meant to change, then rewrite the record."""
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    made = compute(request.getfixturevalue(given))
    if request.config.getoption("--write-golden"):
        written = {
            key: {"version": code_version(PARTS_OF[table]), "columns": found} for key, (table, found) in made.items()
        }
        RECORD.write_text(json.dumps(record | written, indent=0, sort_keys=True) + "\n")
        return
    for key, (table, found) in made.items():
        version = record[key]["version"]
        columns = json.loads(json.dumps(found))
        assert version == code_version(PARTS_OF[table]), f"{key}: a version was raised, run make golden"
        changed = equal(record[key]["columns"], columns)
        assert not changed, f"{key}: {changed[:5]} changed, but not the version. Raise it in ml/core/versions.py."


def test_a_changed_sign_is_seen():
    """Of one feature in one row, and of a column that was integer; noise of the last digit is none."""
    rows = pl.DataFrame({"x": [0.1, -0.2, None, 0.4], "n": [1, 2, 3, 4]})
    known = digest(rows)
    assert equal(known, digest(rows.with_columns(x=pl.col("x") * (1 + 1e-13)))) == []
    assert equal(known, digest(rows.with_columns(x=pl.Series([0.1, 0.2, None, 0.4])))) == ["x"]
    assert equal(known, digest(rows.with_columns(n=pl.Series([1, 2, 4, 3])))) == ["n"]
    assert equal(known, digest(rows.with_columns(x=pl.Series([0.1, -0.2, 0.0, 0.4])))) == ["x"]
