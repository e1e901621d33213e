"""A day's feature rows: the tail, the future, gaps, and how nulls are counted."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.instruments import Instrument
from ml.features.sets import BASE, WHOLE
from ml.features.tables import FEATURE_TABLE
from ml.features.tick.build import NAMES, REASONS, build, coverage, null_counts, whole_rows
from ml.features.tick.table import FAMILIES, FEATURES
from ml.market.book import layout
from ml.tables.schemas import NullReason
from ml.tables.spec import conform
from tests.support.samples import invalid, mirrored, random_samples, without_trades

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)
PAIR = Instrument("sim.PAIR", price_decimals=0, size_decimals=0, tick=1, lot=1)
ROWS = 400


@pytest.fixture(scope="module")
def samples():
    return random_samples(ROWS, 5)


@pytest.fixture(scope="module")
def rows(samples):
    return build(samples, NO_TAIL, PAIR)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, ROWS))
def test_a_tail_gives_the_rows_of_the_whole(samples, rows, cut):
    """Wherever a day begins: with the samples before it to look back on, its rows are the same bits."""
    assert build(samples[cut:], samples[:cut], PAIR).equals(rows[cut:])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, ROWS), st.integers(1, 100), st.integers(1, 60))
def test_a_prefix_gives_the_prefix(samples, end, start, length):
    """Rows up to t are those of the data up to t, gaps or not."""
    broken = invalid(samples, min(start, ROWS - length), length)
    assert build(broken[:end], NO_TAIL, PAIR).equals(build(broken, NO_TAIL, PAIR)[:end])


@pytest.mark.promise("A4")
@settings(max_examples=30, deadline=None)
@given(st.integers(61, 300), st.integers(1, 40))
def test_a_gap_nulls_exactly_what_needs_it(samples, rows, start, length):
    """Null in the gap and for its need after it; each family's reason is the first that holds for one of its own."""
    cut = build(invalid(samples, start, length), NO_TAIL, PAIR)
    again = start + length
    assert cut[:start].equals(rows[:start])
    for feature in FEATURES:
        null = np.zeros(ROWS, bool)
        null[:start] = rows[feature.id][:start].is_null().to_numpy()
        null[start : again + feature.needs] = True
        np.testing.assert_array_equal(cut[feature.id].is_null().to_numpy(), null, err_msg=feature.id)
    for family in FAMILIES:
        waits = max(feature.needs for feature in FEATURES if feature.family == family)
        reasons = cut[f"null_reason_{family}"][start:].to_list()
        expected = [NullReason.INVALID_BOOK] * length + [NullReason.WARM_UP] * waits
        assert reasons == (expected + [NullReason.NONE] * ROWS)[: ROWS - start]


@settings(max_examples=30, deadline=None)
@given(st.integers(61, 300), st.integers(1, 40))
def test_unknown_trades_null_exactly_what_needs_them(samples, rows, start, length):
    """Null, and why, while the window touches them; whatever only needs the book has the same bits throughout."""
    cut = build(without_trades(samples, start, length), NO_TAIL, PAIR)
    again = start + length
    for feature in FEATURES:
        if not feature.trades:
            assert cut[feature.id].equals(rows[feature.id])
            continue
        null = rows[feature.id].is_null().to_numpy().copy()
        null[start : again + max(feature.needs, 1) - 1] = True
        np.testing.assert_array_equal(cut[feature.id].is_null().to_numpy(), null, err_msg=feature.id)
        behind = again + feature.look_back
        assert cut[feature.id][behind:].equals(rows[feature.id][behind:])
    assert set(cut["null_reason_trades"][start:again]) <= {NullReason.WARM_UP, NullReason.NO_TRADES_CAPTURED}
    assert cut["null_reason_book"].equals(rows["null_reason_book"])


def test_without_any_trade_no_feature_of_trades_has_a_value(samples):
    """Unknown is not zero."""
    cut = build(without_trades(samples, 0, ROWS), NO_TAIL, PAIR)[-1]
    values = {feature.trades for feature in FEATURES if cut[feature.id].null_count() == 0}
    assert values == {False}
    assert cut.select("volume_imb_5s", "trade_rate_5s", "cancel_imb_5s").null_count().row(0) == (1, 1, 1)


def test_a_row_has_a_reason_exactly_if_it_has_a_null(samples):
    """No value disappears without a word, and no word is said for nothing."""
    frame = build(invalid(samples, 100, 7), NO_TAIL, PAIR)
    for family, reason in zip(FAMILIES, REASONS, strict=True):
        own = [feature.id for feature in FEATURES if feature.family == family]
        assert frame.filter(pl.any_horizontal(pl.col(own).is_null()) != (pl.col(reason) > 0)).is_empty()
    assert not frame.select(pl.any_horizontal(pl.col(NAMES).is_nan().any())).item()


SIGNED = ("qi_1", "qi_3", "qi_5", "qi_10", "ofi", "net", "cancel_imb", "add_imb", "volume_imb", "count_imb")
EVEN = ("update_rate", "trade_rate", "spread_ticks", "volume_ratio", "print_size", "largest")


def test_the_mirror_of_the_market_is_the_mirror_of_the_rows(samples, rows):
    """The nulls stay where they are, order flow and trade flow change sign, rates stay, returns turn round."""
    other = build(mirrored(samples), NO_TAIL, PAIR)
    assert other.select(REASONS).equals(rows.select(REASONS))
    for name in [n for n in NAMES if n.startswith(SIGNED) and not n.endswith("bps")]:
        np.testing.assert_allclose(other[name].to_numpy(), -rows[name].to_numpy(), rtol=1e-12, err_msg=name)
    for name in [n for n in NAMES if n.startswith(EVEN)]:
        np.testing.assert_array_equal(other[name].to_numpy(), rows[name].to_numpy(), err_msg=name)
    for name in [n for n in NAMES if n.startswith("return_") and not n.endswith("bps")]:
        np.testing.assert_array_equal(np.sign(other[name].to_numpy()), -np.sign(rows[name].to_numpy()), err_msg=name)


def test_long_windows_return_exactly_when_they_are_whole():
    """A gap in more than an hour: each feature, candles too, is null for its need after it and the same before it."""
    samples = random_samples(layout.TAIL + 500, 6)
    whole = build(samples, NO_TAIL, PAIR)
    cut = build(invalid(samples, 300, 4), NO_TAIL, PAIR)
    for feature in FEATURES:
        value = cut[feature.id]
        again = 304 + feature.needs
        assert value[300:again].null_count() == again - 300, feature.id
        assert value[again:].null_count() == 0, feature.id
        assert value[:300].equals(whole[feature.id][:300]), feature.id
        same = max(again, 304 + feature.look_back)
        assert value[same:].equals(whole[feature.id][same:]) or feature.look_back in (1_800, 3_600), feature.id


def test_the_table_conforms_and_a_day_without_samples_is_empty(rows):
    """Columns and dtypes are the schema's, also for no rows at all."""
    schema = FEATURE_TABLE.schema
    conform(rows, schema, "features")
    assert conform(build(NO_TAIL, NO_TAIL, PAIR), schema, "features").is_empty()


def test_null_counts_sum_to_all_rows(samples):
    """Per family: rows by reason, `none` for the whole ones."""
    counts = null_counts(build(invalid(samples, 100, 7), NO_TAIL, PAIR))
    assert counts.group_by("family").agg(pl.col("rows").sum())["rows"].to_list() == [ROWS] * len(FAMILIES)
    found = {(family, reason): n for family, reason, n in counts.iter_rows()}
    assert found["book", "invalid_book"] == found["trades", "invalid_book"] == 7
    # the first 59 rows of the capture and 60 after the gap; the sample after a gap is a part of a second
    assert found["flow", "warm_up"] == 59 + 60
    assert found["flow", "none"] == ROWS - 7 - 59 - 60


def test_coverage_is_the_share_of_rows_with_a_value(samples):
    """By feature, and of all columns of a set together; a day without rows has none."""
    frame = build(invalid(samples, 100, 7), NO_TAIL, PAIR)
    found = {name: share for name, _, share in coverage(frame).iter_rows()}
    assert found["spread_bps"] == pytest.approx(1 - 7 / ROWS)
    assert found["volume_imb_30s"] == pytest.approx(1 - (29 + 7 + 30) / ROWS)
    assert found["rsi_14"] == 0.0
    assert (whole_rows(frame, BASE.columns), whole_rows(frame, WHOLE.columns)) == ((ROWS - 59 - 7 - 60) / ROWS, 0.0)
    empty = build(NO_TAIL, NO_TAIL, PAIR)
    assert (coverage(empty).height, whole_rows(empty, BASE.columns)) == (len(NAMES), 0.0)
