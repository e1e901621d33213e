"""Labels against a plain loop and DuckDB, and what a gap may change."""

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.config import HORIZONS, LabelPlan
from ml.core.time import SECOND, bounds
from ml.labels import future
from ml.labels.future import label
from ml.market.book import layout
from ml.market.days.tables import samples_frame
from ml.tables.schemas import NullReason, horizons_of, label_schema
from ml.tables.spec import conform
from tests.oracles import labels as oracle

DATE = "2025-03-03"
NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)


def walk(n, seed=1, ends_at=None):
    """Samples of a random walk, valid throughout."""
    samples = np.zeros((n, layout.COLUMNS), np.int64)
    mids = 20_000 + np.random.default_rng(seed).integers(-3, 4, n).cumsum()
    last = bounds(DATE)[1] if ends_at is None else ends_at
    samples[:, layout.TS] = last - np.arange(n)[::-1] * SECOND
    samples[:, layout.BID_PRICE] = mids
    samples[:, layout.ASK_PRICE] = mids + 1
    samples[:, layout.VALID] = 1
    samples[:, layout.RUN] = np.minimum(np.arange(1, n + 1), layout.TAIL)
    return samples


def with_gap(samples, start, length):
    """The same samples with an invalid interval; the run of valid ones starts again after it."""
    cut = samples.copy()
    cut[start : start + length, layout.VALID] = cut[start : start + length, layout.RUN] = 0
    cut[start : start + length, layout.BID_PRICE] = cut[start : start + length, layout.ASK_PRICE] = 0
    after = len(samples) - start - length
    cut[start + length :, layout.RUN] = np.arange(after)
    return cut


DAY_END = bounds(DATE)[1]


def compare(samples, day_end=DAY_END):
    rows = [
        {
            "ts": int(s[layout.TS]),
            "bid": int(s[layout.BID_PRICE]),
            "ask": int(s[layout.ASK_PRICE]),
            "valid": bool(s[layout.VALID]),
            "run": int(s[layout.RUN]),
        }
        for s in samples
    ]
    labels = label(samples_frame(samples), NO_TAIL, DATE)
    for h in HORIZONS:
        expected = oracle.loop(rows, h, day_end)
        assert [NullReason(code).name.lower() for code in labels[f"null_reason_{h}s"]] == [
            reason for _, _, reason in expected
        ]
        for column, position in ((f"movement_{h}s", 0), (f"sigma_{h}s", 1)):
            for found, row in zip(labels[column], expected, strict=True):
                assert (
                    found == pytest.approx(row[position], rel=1e-9, abs=1e-15)
                    if row[position] is not None
                    else found is None
                )


@settings(max_examples=25, deadline=None)
@given(st.integers(70, 260), st.integers(0, 200), st.integers(0, 40), st.sampled_from([0, 5, 5_000]))
def test_labels_equal_the_plain_loop(n, start, length, before_midnight):
    """Any interval of samples with any gap, at the end of the day or before it."""
    samples = walk(n, ends_at=bounds(DATE)[1] - before_midnight * SECOND)
    compare(with_gap(samples, min(start, n - 1), length))


def test_movements_equal_duckdbs_asof_join():
    """An engine that knows nothing of our grid finds the same movements."""
    samples = walk(2_000, ends_at=bounds(DATE)[1] - 3_600 * SECOND)
    labels = label(samples_frame(samples), NO_TAIL, DATE)
    frame = labels.select("ts", mid="mid_units").to_arrow()
    with duckdb.connect() as connection:
        for h in HORIZONS:
            found = dict(oracle.asof(connection, frame, h))
            known = labels.select("ts", f"movement_{h}s").drop_nulls()
            assert known.height == 2_000 - h
            assert all(found[ts] == pytest.approx(movement, rel=1e-12, abs=1e-15) for ts, movement in known.iter_rows())


@pytest.mark.promise("A4")
@settings(max_examples=30, deadline=None)
@given(st.integers(100, 700), st.integers(1, 30))
def test_a_gap_nulls_exactly_the_labels_that_touch_it(start, length):
    """Every label whose [t, t + h] touches no invalid second is bit-identical."""
    samples = walk(900)
    clean, cut = (label(samples_frame(s), NO_TAIL, DATE) for s in (samples, with_gap(samples, start, length)))
    at = np.arange(900)
    for h in HORIZONS:
        # the first sample after the gap stands in a second that was valid only in part: its state is known
        touched = (at + h >= start) & (at < start + length)
        null = cut[f"movement_{h}s"].is_null().to_numpy() & clean[f"movement_{h}s"].is_not_null().to_numpy()
        np.testing.assert_array_equal(null, touched & clean[f"movement_{h}s"].is_not_null().to_numpy())
        same = ~touched & clean[f"movement_{h}s"].is_not_null().to_numpy()
        np.testing.assert_array_equal(cut[f"movement_{h}s"].to_numpy()[same], clean[f"movement_{h}s"].to_numpy()[same])


def test_a_label_ends_with_the_last_sample_that_it_depends_on():
    """Another price at `label_end` changes the movement, another price after it does not: purging relies on it."""
    samples = walk(900)
    labels = label(samples_frame(samples), NO_TAIL, DATE)
    for h in HORIZONS:
        (end,) = np.flatnonzero(samples[:, layout.TS] == labels[f"label_end_{h}s"][300])
        for first, changes in ((end, True), (end + 1, False)):
            other = samples.copy()
            other[first:, [layout.BID_PRICE, layout.ASK_PRICE]] += 50
            found = label(samples_frame(other), NO_TAIL, DATE)
            assert (found[f"movement_{h}s"][300] != labels[f"movement_{h}s"][300]) is changes


def test_the_fixed_direction_is_ten_basis_points():
    """Kept for comparison with the predecessor."""
    samples = walk(200, ends_at=bounds(DATE)[1] - 600 * SECOND)
    samples[110:, layout.BID_PRICE : layout.BID_PRICE + 1] += 100
    samples[110:, layout.ASK_PRICE : layout.ASK_PRICE + 1] += 100
    labels = label(samples_frame(samples), NO_TAIL, DATE).drop_nulls("movement_10s")
    expected = labels.select(
        pl.col("movement_10s").map_elements(lambda m: 2 if m > 0.001 else 0 if m < -0.001 else 1, return_dtype=pl.Int8)
    )
    assert labels["direction_10s"].to_list() == expected["movement_10s"].to_list()
    assert 2 in labels["direction_10s"]


def test_the_table_conforms_and_coverage_is_counted():
    """Per horizon the share of labelled rows, and the reasons of the others."""
    labels = label(samples_frame(walk(100)), NO_TAIL, DATE)
    conform(labels, label_schema(), "future_labels")
    assert future.coverage(labels) == {"10s": 0.9, "30s": 0.7, "60s": 0.4}
    assert future.reasons(labels)["60s"] == {"day_end": 60}


def test_the_tail_serves_the_volatility_alone():
    """Rows before the day get no label, and give the first rows their volatility."""
    samples = walk(300)
    whole = label(samples_frame(samples), NO_TAIL, DATE)
    split = label(samples_frame(samples[100:]), samples[:100], DATE)
    assert split.equals(whole[100:])


def test_other_horizons_change_nothing_of_the_first():
    """180 and 300 s are more columns; those of 10, 30 and 60 s stay as they are."""
    samples = samples_frame(walk(900, ends_at=bounds(DATE)[1] - 600 * SECOND))
    usual, longer = (label(samples, NO_TAIL, DATE, LabelPlan(h)) for h in ((10, 30, 60), (10, 30, 60, 180, 300)))
    assert longer.select(usual.columns).equals(usual)
    assert horizons_of(longer.columns) == (10, 30, 60, 180, 300)
    conform(longer, label_schema((10, 30, 60, 180, 300)), "future_labels")
    assert future.coverage(longer)["300s"] == 600 / 900


def test_class_shares_are_of_the_labelled_rows():
    """Three shares for each horizon and kind of direction; they add up to one."""
    labels = label(samples_frame(walk(400)), NO_TAIL, DATE)
    shares = future.class_shares(labels)
    assert set(shares) == {f"{kind}_{h}s" for kind in ("direction", "net_direction") for h in HORIZONS}
    assert all(sum(share.values()) == pytest.approx(1) for share in shares.values())
    ups = labels["direction_10s"].drop_nulls()
    assert shares["direction_10s"]["up"] == (ups == 2).sum() / ups.len()
