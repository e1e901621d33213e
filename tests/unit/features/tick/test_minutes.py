"""Minutes: which trades make a candle, when it counts, and indicators of shapes that one can work out."""

import numpy as np
import pytest

from ml.core.time import SECOND
from ml.features.tick import minutes as candles
from ml.features.tick.minutes import KEPT, empty_minutes, push
from ml.features.tick.table import CANDLE_SPANS as SPANS
from ml.market.book import layout as at
from tests.support.samples import random_samples

MINUTES = KEPT + 2
START = 1_740_999_960


def chart(closes, reach=0, volume=6):
    """Samples of a chart: each minute its close, all seconds alike, trades `reach` around it."""
    samples = random_samples(60 * len(closes), 1)
    samples[:, at.OFI : at.BOOK_AGE] = 0
    samples[:, at.TS] = (START + 1 + np.arange(len(samples))) * SECOND
    price = np.repeat(closes, 60)
    samples[:, at.TRADE_COUNT] = 1
    samples[:, at.LAST_TRADE] = price
    samples[:, at.TRADE_HIGH] = price + reach
    samples[:, at.TRADE_LOW] = price - reach
    samples[:, at.TRADE_VOLUME] = volume
    samples[:, at.TRADE_NOTIONAL] = volume * price
    return samples


def indicators(samples):
    minutes = empty_minutes()
    for sample in samples:
        push(minutes, sample)
    return dict(zip(SPANS, minutes.values.tolist(), strict=True))


def test_a_candle_holds_the_trades_of_its_minute():
    """High, low, last trade, volume and notional; a second without trades has none of these."""
    samples = chart([1_000, 2_000], reach=3)
    samples[60 + 30, at.TRADE_COUNT] = 0
    samples[60 + 31, at.TRADE_HIGH] = 2_500
    samples[-1, at.LAST_TRADE] = 2_001
    minutes = empty_minutes()
    for sample in samples:
        push(minutes, sample)
    assert minutes.candles[:, KEPT - 1].tolist() == [2_500, 1_997, 2_001, 59 * 6, 59 * 6 * 2_000]
    assert minutes.candles[candles.CLOSE, KEPT - 2] == 1_000
    assert not minutes.candles[:, KEPT].any()


def test_a_minute_counts_when_it_is_closed():
    """Whatever happens in the open minute changes nothing yet."""
    samples = chart(list(range(1_000, 1_000 + MINUTES)))
    wild = samples.copy()
    wild[-60:, [at.TRADE_HIGH, at.TRADE_LOW, at.LAST_TRADE]] = 9_999
    assert indicators(samples[:-1]) == indicators(wild[:-1])
    assert indicators(samples) != indicators(wild)


def test_a_flat_chart_is_neutral():
    """No gain, no loss, no range: the middle of each scale."""
    found = indicators(chart([1_000] * MINUTES))
    assert found == {
        "rsi_14": 50.0,
        "macd_hist_atr": 0.0,
        "bb_position": 0.5,
        "bb_width_bps": 0.0,
        "atr_14_bps": 0.0,
        "adx_14": 0.0,
        "stoch_k_14": 50.0,
        "mfi_14": 50.0,
        "cmf_20": 0.0,
        "close_vwap_20_bps": 0.0,
        "volume_z_20": 0.0,
        "return_15m_bps": 0.0,
    }


def test_a_steady_rise_is_the_extreme():
    """One unit a minute, each print a unit around the close."""
    closes = [100_000 + 100 * k for k in range(MINUTES)]
    found = indicators(chart(closes, reach=50))
    last = closes[-1]
    assert (found["rsi_14"], found["mfi_14"], found["adx_14"]) == pytest.approx((100.0, 100.0, 100.0))
    assert found["atr_14_bps"] == pytest.approx(1e4 * 150 / last)
    assert found["stoch_k_14"] == pytest.approx(100 * 1_350 / 1_400)
    assert found["return_15m_bps"] == pytest.approx(1e4 * 1_500 / (last - 1_500))
    assert found["close_vwap_20_bps"] == pytest.approx(1e4 * (last / (last - 950) - 1))
    assert found["bb_position"] == pytest.approx(0.5 + 950 / (4 * 100 * np.arange(20).std()))
    assert found["macd_hist_atr"] == pytest.approx(0.0, abs=1e-6)
    falling = indicators(chart(closes[::-1], reach=50))
    assert (falling["rsi_14"], falling["mfi_14"]) == (0.0, 0.0)


def test_closes_at_the_high_are_accumulation():
    """Chaikin: the close at the top of each range is 1; volume alone has its own score."""
    samples = chart([1_000] * MINUTES)
    samples[:, at.TRADE_LOW] -= 10
    samples[-60:, at.TRADE_VOLUME] = 12
    found = indicators(samples)
    assert found["cmf_20"] == 1.0
    assert found["volume_z_20"] == pytest.approx((12 - 6.3) / np.array([6] * 19 + [12]).std())


def test_quiet_minutes_stand_at_the_close_before():
    """Two minutes without a print are flat; a chart that begins quiet is not known as far as it is needed."""
    samples = chart([1_000] * (MINUTES - 3) + [1_010, 5, 5])
    samples[-120:, at.TRADE_COUNT] = 0
    assert indicators(samples)["return_15m_bps"] == pytest.approx(100.0)
    begun = chart([1_000] * MINUTES)
    begun[: 60 * (MINUTES - 16), at.TRADE_COUNT] = 0
    known = {name for name, value in indicators(begun).items() if not np.isnan(value)}
    assert known == {name for name, span in SPANS.items() if span <= 16}
