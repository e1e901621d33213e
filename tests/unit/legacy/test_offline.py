"""Files of the predecessor's feature store."""

import polars as pl
import pytest

from ml.core.errors import SourceRefused
from ml.legacy import offline
from ml.legacy.columns import FEATURES, FEATURES_112
from ml.legacy.parts import opened
from ml.legacy.sources import find
from tests.support import legacy_files as files


def read(root):
    (source,) = find(root).of("offline")
    return offline.read(opened(source), "bybit-linear")


@pytest.mark.parametrize(
    ("names", "features"), [("numbered_110", 110), ("numbered_112", 112), ("named_112", 112), ("named_187", 187)]
)
def test_every_generation_gets_the_real_names(tmp_path, names, features):
    """Price, features and stored labels of each; what a generation lacks is null."""
    ts = files.times(30)
    mids = files.prices(30)
    files.offline(tmp_path, "2025-11-07", "120000", "BTCUSDT", ts, mids, names=names)
    part = read(tmp_path)
    expected = files.features(mids).astype(float)
    assert part.frame["generation"].unique().to_list() == [names]
    assert part.frame["current_mid_price"].to_list() == mids
    for k, name in enumerate(FEATURES_112[: min(features, 112)]):
        assert part.frame[name].to_list() == expected[:, k].tolist()
    absent = [name for name in FEATURES if part.frame[name].null_count() == 30]
    assert len(absent) == len(FEATURES) - features
    assert part.frame["legacy_direction_60s"].drop_nulls().is_in([0, 1, 2]).all()


def test_a_feature_called_mid_price_is_never_the_price(tmp_path):
    """In a file with real names that column may be scaled."""
    path = files.offline(tmp_path, "2025-11-07", "120000", "BTCUSDT", files.times(3), files.prices(3))
    pl.read_parquet(path).drop("current_mid_price").write_parquet(path)
    frame = read(tmp_path).frame
    assert frame["current_mid_price"].null_count() == 3
    assert frame["features_scaled"].null_count() == 3


def test_symbols_that_cannot_be_names_are_quarantined(tmp_path):
    """They would become parts of paths."""
    files.offline(tmp_path, "2025-11-07", "120000", ["BTCUSDT", "../x", None], files.times(3), files.prices(3))
    part = read(tmp_path)
    assert (part.frame.height, part.quarantined) == (1, {"bad_symbol": [1, 2]})


@pytest.mark.parametrize("lost", ["symbol", "rsi_14"])
def test_unknown_columns_are_refused(tmp_path, lost):
    """Nothing is guessed from half a schema."""
    path = files.offline(tmp_path, "2025-11-07", "120000", "BTCUSDT", files.times(3), files.prices(3))
    pl.read_parquet(path).drop(lost).write_parquet(path)
    with pytest.raises(SourceRefused) as refused:
        read(tmp_path)
    assert (refused.value.reason, refused.value.rows) == ("unknown_columns", 3)


def test_values_that_do_not_fit_are_named_and_text_stays(tmp_path):
    """The row stays, and every column and row that lost a value is in the proof; so are columns that no table has."""
    path = files.offline(tmp_path, "2025-11-07", "120000", "BTCUSDT", files.times(6), files.prices(6))
    odd = {
        "rsi_14": ["1.5", "high", None, "nan", "2", "3"],
        "future_direction_60s": [0.0, 1.0, 2.0, 9.0, None, 1.0],
        "current_mid_price": [1.0, 0.0, -1.0, float("inf"), None, 2.0],
        "mood": ["calm"] * 6,
    }
    pl.read_parquet(path).with_columns(pl.Series(name, values) for name, values in odd.items()).write_parquet(path)
    part = read(tmp_path)
    assert part.frame["signal_strength"].unique().to_list() == ["STRONG"]
    assert part.frame["rsi_14"].to_list() == [1.5, None, None, None, 2.0, 3.0]
    assert part.invalid["rsi_14"] == {1: "high"}
    assert part.invalid["current_mid_price"] == {1: "0.0", 2: "-1.0"}
    assert part.invalid["future_direction_60s"] == {0: "0.0", 1: "1.0", 2: "2.0", 3: "9.0", 5: "1.0"}
    assert part.not_finite == {"nan": 1, "infinite": 1}
    assert part.unread == ["mood"]


def test_a_feature_that_stands_twice_is_named(tmp_path):
    """By number and by name: the number counts, the other is no column of the table."""
    path = files.offline(
        tmp_path, "2025-11-07", "120000", "BTCUSDT", files.times(3), files.prices(3), names="numbered_112"
    )
    pl.read_parquet(path).with_columns(rsi_14=pl.lit(1.0)).write_parquet(path)
    assert read(tmp_path).unread == ["rsi_14"]
