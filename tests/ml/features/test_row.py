"""Each feature against its oracle, the compiled order against the table, and what may change a value."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features import row
from ml.features.build import NAMES, build
from ml.features.table import FEATURES
from ml.market import layout
from ml.market.sampler import Sampler
from ml.market.tables import samples_array, samples_frame
from ml.schemas import NullReason
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate
from tests.oracles import features as oracle

NO_TAIL = np.zeros((0, layout.COLUMNS), np.int64)


@pytest.fixture(scope="module")
def samples():
    """Ten minutes of a simulated market."""
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(3, 600, Alpha(0.1))), 1_741_000_000 * 10**9))
    return sampler.samples[: sampler.released].copy()


@pytest.fixture(scope="module")
def rows(samples):
    return build(samples, NO_TAIL, INSTRUMENT)


@pytest.fixture(scope="module")
def expected(samples):
    frame = samples_frame(samples)
    frame = frame.with_columns(
        S=pl.Series([oracle.median_size(frame, i) for i in range(frame.height)], dtype=pl.Float64)
    )
    return frame.with_columns(**{f"f_{name}": e for name, e in oracle.expressions(INSTRUMENT.tick).items()})


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("slope")])
def test_a_feature_equals_its_polars_expression(rows, expected, name):
    """Wherever the feature has a value, the expression gives the same to 1e-9."""
    both = pl.DataFrame({"is": rows[name], "should": expected[f"f_{name}"]}).drop_nulls("is")
    assert both.height > 500
    np.testing.assert_allclose(both["is"].to_numpy(), both["should"].to_numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_slopes_equal_numpys_fit(rows, samples, side):
    """Ordinary least squares, row by row."""
    frame = samples_frame(samples)
    for i in range(60, 600, 37):
        prices, sizes = ([frame[f"{side}_{what}_{k}"][i] for k in range(1, 11)] for what in ("price", "size"))
        twice_mid = frame["bid_price_1"][i] + frame["ask_price_1"][i]
        assert rows[f"slope_{side}"][i] == pytest.approx(oracle.slope(prices, sizes, twice_mid), rel=1e-9)


def test_recorded_rows_equal_their_expressions_too(market):
    """Real books have holes, thin levels and quiet seconds."""
    from ml.market.feed import Feed
    from ml.market.survey import survey
    from tests.scenario import chain_of

    chain = chain_of(*sorted((market / "binance_raw").glob("*eth*")))
    instrument = survey(chain, chain.instruments()[0])
    feed = Feed(instrument)
    for arrived in chain.frames(instrument.id):
        feed.offer(arrived.doc, arrived.frame.recv_ts)
    samples = feed.sampler.samples[: feed.sampler.released]
    rows, frame = build(samples, NO_TAIL, instrument), samples_frame(samples)
    frame = frame.with_columns(
        S=pl.Series([oracle.median_size(frame, i) for i in range(frame.height)], dtype=pl.Float64)
    )
    for name, expression in oracle.expressions(instrument.tick).items():
        both = pl.DataFrame({"is": rows[name], "should": frame.select(x=expression)["x"]}).drop_nulls("is")
        assert both.height >= 400, name
        np.testing.assert_allclose(both["is"].to_numpy(), both["should"].to_numpy(), rtol=1e-9, atol=1e-9, err_msg=name)


def test_the_table_names_what_the_row_computes(samples):
    """One value a feature, in the table's order: each name changes with its own oracle above, and the counts agree."""
    values, reasons = np.full(len(FEATURES) + 1, -7.0), np.zeros(3, np.uint8)
    row._compute(samples, 300, 1, 100.0, values)
    assert values[-1] == -7.0
    assert not (values[:-1] == -7.0).any()
    assert len(set(NAMES)) == len(NAMES)
    assert reasons.size == 3


def test_warm_up_ends_when_what_a_feature_needs_lies_behind(rows):
    """Exactly `needs` whole samples; the first row of a capture is a part of a second."""
    for feature in FEATURES:
        first = rows[feature.id].is_not_null().arg_max()
        assert first == feature.needs, feature.id


@settings(max_examples=40, deadline=None)
@given(st.integers(61, 598), st.integers(0, 2**32 - 1))
def test_the_future_changes_nothing(samples, at, seed):
    """Cutting off or scrambling all samples after t leaves every row up to t as it was."""
    scrambled = samples.copy()
    scrambled[at + 1 :, 1:] = np.random.default_rng(seed).integers(0, 10**6, scrambled[at + 1 :, 1:].shape)
    before = build(samples[: at + 1], NO_TAIL, INSTRUMENT)
    assert build(scrambled, NO_TAIL, INSTRUMENT)[: at + 1].equals(before)


def test_a_break_nulls_exactly_the_windows_that_touch_it(samples):
    """After an invalid stretch each feature is null for its own need, and every other row is as it was."""
    broken = samples.copy()
    broken[200:210, layout.VALID] = broken[200:210, layout.RUN] = 0
    broken[200:210, layout.BID_PRICE : layout.BOOK_COLUMNS] = 0
    broken[210:, layout.RUN] = np.arange(0, len(samples) - 210)
    clean, cut = build(samples, NO_TAIL, INSTRUMENT), build(broken, NO_TAIL, INSTRUMENT)
    assert cut[:200].equals(clean[:200])
    for feature in FEATURES:
        null = cut[feature.id].is_null().to_numpy()
        assert null[200 : 210 + feature.needs].all(), feature.id
        assert not null[210 + feature.needs :].any(), feature.id
        if feature.look_back <= 60:
            same = (cut[feature.id] == clean[feature.id]).to_numpy()[210 + max(feature.needs, feature.look_back) :]
            assert same.all(), feature.id
    assert set(cut["null_reason_book"][200:210]) == {NullReason.INVALID_BOOK}
    assert cut["null_reason_trades"][215] == NullReason.WARM_UP


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"valid": False, "bid_price_1": None, "ask_price_1": None}, NullReason.INVALID_BOOK),
        ({"valid": False, "bid_price_1": None}, NullReason.ONE_SIDED),
        ({"book_age": 61 * 10**9}, NullReason.STALE),
    ],
)
def test_a_whole_row_is_null_with_its_reason(samples, change, reason):
    """Book unknown, one side empty, book too old: no feature has a value."""
    frame = samples_frame(samples)
    changed = frame.with_columns(
        pl.when(pl.col("ts") == frame["ts"][300]).then(pl.lit(v)).otherwise(pl.col(c)).cast(frame.schema[c]).alias(c)
        for c, v in change.items()
    )
    rows = build(samples_array(changed), NO_TAIL, INSTRUMENT)
    assert rows[300].select(pl.all_horizontal(pl.col(NAMES).is_null())).item()
    assert {rows[f"null_reason_{family}"][300] for family in ("book", "flow", "trades")} == {reason}


def test_swapping_the_sides_turns_the_sign(samples):
    """Mirror symmetry: with bids and asks exchanged, signed features change sign and the others their side."""
    columns = samples_frame(samples).columns
    mirrored = samples.copy()
    for k, name in enumerate(columns):
        partner = (
            name.replace("bid", "#")
            .replace("ask", "bid")
            .replace("#", "ask")
            .replace("_buy", "#")
            .replace("_sell", "_buy")
            .replace("#", "_sell")
        )
        mirrored[:, k] = samples[:, columns.index(partner)]
    high = 2 * 10**6
    for side in (layout.BID_PRICE, layout.ASK_PRICE):
        mirrored[:, side : side + 20] = np.where(
            mirrored[:, side : side + 20] > 0, high - mirrored[:, side : side + 20], 0
        )
    for level in range(10):
        mirrored[:, layout.OFI + level] = -samples[:, layout.OFI + level]
    one, other = build(samples, NO_TAIL, INSTRUMENT), build(mirrored, NO_TAIL, INSTRUMENT)
    signed = [n for n in NAMES if n.startswith(("qi", "ofi", "net", "cancel", "volume", "count"))]
    for name in signed:
        np.testing.assert_allclose(
            other[name].drop_nulls(), -one[name].drop_nulls(), rtol=1e-12, atol=1e-12, err_msg=name
        )
    for name in ("depth", "gap", "hhi"):
        for left, right in ((n, n.replace("bid", "ask")) for n in NAMES if n.startswith(name) and "bid" in n):
            np.testing.assert_allclose(other[left].drop_nulls(), one[right].drop_nulls(), rtol=1e-12, err_msg=left)
