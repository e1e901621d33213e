"""Returns after costs against a plain loop and DuckDB, and what costs do to classes."""

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.config import LabelPlan
from ml.core.time import SECOND, bounds
from ml.labels.future import label
from ml.market.book import layout
from ml.market.days.tables import samples_frame
from tests.oracles import labels as oracle
from tests.unit.labels.test_future import DATE, NO_TAIL, walk, with_gap

END = bounds(DATE)[1]


def labelled(samples, **costs):
    return label(samples_frame(samples), NO_TAIL, DATE, LabelPlan(**costs))


def quoted(samples, labels, h):
    """Rows for the oracle."""
    return [
        {"bid": float(s[layout.BID_PRICE]), "ask": float(s[layout.ASK_PRICE]), "movement": m}
        for s, m in zip(samples, labels[f"movement_{h}s"], strict=True)
    ]


@settings(max_examples=20, deadline=None)
@given(
    st.integers(70, 160), st.integers(0, 100), st.integers(0, 20), st.sampled_from([0, 1e-4, 5e-4]), st.integers(0, 9)
)
def test_returns_equal_the_plain_loop(n, start, length, fee, latency):
    """Any gap, fee and latency."""
    samples = with_gap(walk(n), min(start, n - 1), length)
    labels = labelled(samples, taker_fee=fee, latency=latency)
    for h in (10, 30, 60):
        expected = oracle.net(quoted(samples, labels, h), h, fee, latency)
        for name, found in zip(("net_long", "net_short"), zip(*expected, strict=True), strict=True):
            for ours, theirs in zip(labels[f"{name}_{h}s"], found, strict=True):
                assert (ours is None) == (theirs is None)
                assert ours is None or ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_returns_equal_duckdbs_joins():
    """An engine that knows nothing of rows finds the same by times."""
    samples = walk(500, ends_at=END - 3_600 * SECOND)
    labels = labelled(samples, taker_fee=3e-4, latency=2).drop_nulls("movement_30s")
    ts, bid, ask = (samples[:, k] for k in (layout.TS, layout.BID_PRICE, layout.ASK_PRICE))
    quotes = pl.DataFrame({"ts": ts, "bid": bid.astype(float), "ask": ask.astype(float)})
    with duckdb.connect() as connection:
        connection.register("q", quotes.to_arrow())
        rows = connection.execute(oracle.NET.format(fee=3e-4, latency=2, horizon=30)).fetchall()
    found = {t: (long, short) for t, long, short in rows}
    assert labels.height == 470
    for t, long, short in labels.select("ts", "net_long_30s", "net_short_30s").iter_rows():
        assert (long, short) == pytest.approx(found[t], rel=1e-9, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-5, 5e-4]))
def test_costs_only_ever_take(seed, fee):
    """Both trades together lose, and a larger fee or spread leaves no more of either."""
    samples = walk(200, seed=seed)
    cheap = labelled(samples, taker_fee=fee)
    dear = labelled(samples, taker_fee=fee + 1e-4)
    for name in ("net_long_10s", "net_short_10s"):
        difference = (dear[name] - cheap[name]).drop_nulls()
        assert (difference < 0).all()
    both = cheap.select(both=pl.col("net_long_10s") > 0, of=pl.col("net_short_10s") > 0).drop_nulls()
    assert not (both["both"] & both["of"]).any()


def test_a_class_needs_a_trade_that_pays():
    """A jump of 1 % at second 100, bought 5 s before it: up without costs, neutral where the fee eats it."""
    samples = walk(300, ends_at=END - 600 * SECOND)
    samples[:, layout.BID_PRICE] = 20_000
    samples[:, layout.ASK_PRICE] = 20_001
    samples[100:, layout.BID_PRICE] = 20_200
    samples[100:, layout.ASK_PRICE] = 20_201
    assert labelled(samples, taker_fee=1e-3)["net_direction_10s"][95] == 2
    assert labelled(samples, taker_fee=6e-3)["net_direction_10s"][95] == 1
    assert labelled(samples, taker_fee=1e-3, latency=5)["net_direction_10s"][95] == 1  # too late: it has jumped
    down = samples.copy()
    down[100:, layout.BID_PRICE] = 19_800
    down[100:, layout.ASK_PRICE] = 19_801
    assert labelled(down, taker_fee=1e-3)["net_direction_10s"][95] == 0
    assert np.isin(labelled(down)["net_direction_10s"].drop_nulls(), [0, 1, 2]).all()
