"""One diff removed: nothing outside the gap changes, everything inside it is null with its reason."""

import gzip

import orjson
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from ml.core.config import HORIZONS, Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.features.tick.build import build
from ml.features.tick.table import FAMILIES, FEATURES
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.samples import tail
from ml.market.days.tables import samples_array
from ml.market.files.capture_sequence import CaptureSequence
from ml.storage.commit import read
from ml.tables.schemas import NullReason
from tests.conftest import default_dates
from tests.support.days import decode_day, raw_day, sample_day
from tests.support.scenario import INSTRUMENT, USDM, chain_of, ingest

SECOND = 10**9
DAY = "2024-07-19"


def stored(root: DataRoot, table: str, date: str, instrument: str) -> pl.DataFrame:
    return read(root.partition(table, date, instrument)).collect()


def tables(chain: CaptureSequence, instrument: Instrument) -> dict[str, pl.DataFrame]:
    """What is made of the recorded day: where the book is known, samples and features."""
    raw = raw_day(chain, instrument, DAY)
    decoded = decode_day(raw, instrument, DAY)
    samples = sample_day(raw, decoded.book_events, decoded.trades, decoded.validity, instrument, DAY)
    features = build(samples_array(samples), tail(raw, instrument, DAY), instrument)
    return {"validity": decoded.validity, "book_samples": samples, "features": features}


@pytest.fixture(scope="module")
def recorded(market, tmp_path_factory):
    """The recorded BTCUSDT minutes as they are, and without one diff; and the ids around it."""
    files = sorted((market / "binance_raw").glob("*btcusdt*"))
    folder = tmp_path_factory.mktemp("cut")
    (folder / files[0].name).write_bytes(files[0].read_bytes())
    lines = gzip.decompress(files[1].read_bytes()).splitlines(keepends=True)
    diffs = [k for k, line in enumerate(lines) if b"depthUpdate" in line]
    before, _, after = (orjson.loads(lines[k].split(b" ", 1)[1])["data"] for k in diffs[3_000:3_003])
    del lines[diffs[3_001]]
    (folder / files[1].name).write_bytes(gzip.compress(b"".join(lines)))
    whole = chain_of(*files)
    instrument = infer_instrument(whole, USDM)
    return tables(whole, instrument), tables(chain_of(folder), instrument), before["u"], after["pu"]


def test_recorded_gap_has_its_bounds_and_no_end(recorded):
    """from_id is the last applied u, to_id the pu of the first refused diff; without a snapshot nothing follows."""
    _, cut, from_id, to_id = recorded
    (last,) = cut["validity"].to_dicts()
    assert (last["end_reason"], last["from_id"], last["to_id"]) == ("sequence_gap", from_id, to_id)


@pytest.mark.promise("A4")
def test_recorded_rows_before_are_the_same_and_after_are_null(recorded):
    """Samples and features up to the gap are bit-identical; after it every feature is null for invalid_book."""
    whole, cut, *_ = recorded
    end = cut["validity"]["end_ts"][-1]
    for table in ("book_samples", "features"):
        before = [found[table].filter(pl.col("ts") <= end) for found in (whole, cut)]
        assert_frame_equal(*before)
        assert before[0].height > 60
    after = cut["features"].filter(pl.col("ts") > end)
    assert after.height > 60
    assert after.select(feature.id for feature in FEATURES).null_count().row(0) == (after.height,) * len(FEATURES)
    for family in FAMILIES:
        assert after[f"null_reason_{family}"].unique().to_list() == [NullReason.INVALID_BOOK]


@pytest.fixture(scope="module")
def cut(simulated, tmp_path_factory):
    """The simulated market without one diff of its second hour."""
    folder = tmp_path_factory.mktemp("sim-cut")
    files = sorted(simulated.glob("*.zst"))
    for path in files:
        (folder / path.name).write_bytes(path.read_bytes())
    lines = pa.input_stream(str(files[1]), compression="zstd").read().splitlines(keepends=True)
    del lines[[k for k, line in enumerate(lines) if b"depthUpdate" in line][2_000]]
    with pa.output_stream(str(folder / files[1].name), compression="zstd") as sink:
        sink.write(b"".join(lines))
    root = DataRoot(tmp_path_factory.mktemp("sim-cut-root"))
    ingest(root, Config(folder, *default_dates(), (INSTRUMENT,)), ["2025-03-03"])
    return root


@pytest.mark.promise("A4")
def test_simulated_features_return_after_their_look_back(ingested, cut):
    """Each feature is the whole run's from re-anchor + look-back on, and null in between."""
    whole, holed = (stored(root, "features", "2025-03-03", INSTRUMENT.id) for root in (ingested, cut))
    first, second = stored(cut, "validity", "2025-03-03", INSTRUMENT.id).to_dicts()[:2]
    for feature in FEATURES:
        again = -(-second["start_ts"] // SECOND) * SECOND + (feature.look_back + 1) * SECOND
        outside = (pl.col("ts") <= first["end_ts"]) | (pl.col("ts") > again)
        assert_frame_equal(
            whole.filter(outside).select("ts", feature.id), holed.filter(outside).select("ts", feature.id)
        )
        inside = holed.filter((pl.col("ts") > first["end_ts"]) & (pl.col("ts") <= second["start_ts"]))
        assert inside.height > 0
        assert inside[feature.id].null_count() == inside.height


@pytest.mark.promise("A4")
def test_simulated_labels_are_null_exactly_where_they_touch_the_gap(ingested, cut):
    """A movement is lost if and only if [t, t + h] touches the gap; all others are bit-identical."""
    whole, holed = (stored(root, "future_labels", "2025-03-03", INSTRUMENT.id) for root in (ingested, cut))
    first, second = stored(cut, "validity", "2025-03-03", INSTRUMENT.id).to_dicts()[:2]
    for h in HORIZONS:
        touches = (pl.col("ts") + h * SECOND > first["end_ts"]) & (pl.col("ts") <= second["start_ts"])
        name = f"movement_{h}s"
        clear = ~touches
        assert_frame_equal(whole.filter(clear).select("ts", name), holed.filter(clear).select("ts", name))
        lost = holed.filter(touches)
        assert lost.height >= h
        assert lost[name].null_count() == lost.height
