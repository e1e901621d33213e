"""Labels of snapshots against a plain loop, and what a sparse source cannot say."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.legacy.labelling import label
from ml.tables.schemas import NullReason
from tests.oracles import labels as oracle
from tests.support.examples import examples

SECOND = 10**9
STEPS = st.lists(st.integers(100, 30_000), min_size=1, max_size=60)


def rows_of(steps, prices):
    """Snapshots at ms steps; prices may be unknown."""
    ts = pl.Series(steps).cum_sum() * 10**6
    return pl.DataFrame({"ts": ts, "price": pl.Series(prices[: len(steps)], dtype=pl.Float64)})


@settings(max_examples=examples(20, 60), deadline=None)
@given(STEPS, st.lists(st.one_of(st.none(), st.integers(900, 1100)), min_size=60, max_size=60), st.integers(1, 2_000))
def test_labels_equal_the_plain_loop(steps, prices, end):
    """Any spacing, any unknown prices, any end."""
    rows = rows_of(steps, prices)
    labels = label(rows, [1, 10, 60], end * SECOND)
    for h in (1, 10, 60):
        expected = oracle.sparse(list(rows.iter_rows()), h, end * SECOND)
        assert [NullReason(c).name.lower() for c in labels[f"future_null_reason_{h}s"]] == [r for _, _, r in expected]
        assert labels[f"future_movement_{h}s"].to_list() == [m for m, _, _ in expected]
        assert labels[f"future_age_{h}s"].to_list() == [a for _, a, _ in expected]


def test_movements_equal_duckdbs_asof_join():
    """Quotes of whole seconds, some unknown: an engine of its own finds the same."""
    import duckdb

    prices = [100 + (k * 7 % 13) for k in range(300)]
    rows = rows_of([1000] * 300, prices)
    labels = rows.hstack(label(rows, [10], 10**6 * SECOND))
    with duckdb.connect() as connection:
        found = dict(oracle.asof(connection, rows.select("ts", mid="price").to_arrow(), 10))
    known = labels.drop_nulls("future_movement_10s")
    assert known.height == 290
    assert all(found[ts] == m for ts, m in known.select("ts", "future_movement_10s").iter_rows())


@pytest.mark.parametrize(("spacing", "labelled"), [(5_000, True), (5_001, False), (30_000, False)])
def test_a_horizon_needs_rows_at_half_of_it(spacing, labelled):
    """A price every 30 s carries no label of 10 s."""
    labels = label(rows_of([spacing] * 50, [100] * 50), [10], 10**6 * SECOND)
    assert (labels["future_movement_10s"].count() > 0) is labelled


def test_the_realised_horizon_is_never_far_off():
    """The price at the target is at most half the spacing old."""
    labels = label(rows_of([7_000, 3_000, 5_000, 5_000] * 20, [100] * 80), [10, 30], 10**6 * SECOND)
    assert labels.select(pl.col("^future_age.*$").max()).max_horizontal().item() <= 2_500 * 10**6


def test_no_rows_have_no_labels():
    """An empty day is no error."""
    assert label(pl.DataFrame(schema={"ts": pl.Int64, "price": pl.Float64}), [10], 1).height == 0
