"""What the table says of columns of candles."""

from ml.features.legacy.candle_columns import CANDLES, bands, momentum, trend
from ml.features.legacy.feature import BEGINNING


def test_needs_are_candles_in_seconds():
    """A row stands up to 59 s after the last close."""
    needs = {column.id: column.needs // 60 for column in (*CANDLES, *trend(smooth=True, n=100), *bands(100))}
    assert (needs["open"], needs["returns"], needs["volume_ma_ratio"], needs["sma_50"], needs["ema_10"]) == (
        1,
        2,
        20,
        50,
        100,
    )
    assert all(c.look_back == c.needs + 59 for c in CANDLES if not c.absent)


def test_running_sums_say_why_they_are_null():
    """Their beginning is unknown."""
    absent = {column.id for column in (*CANDLES, *bands(1)) if column.absent == BEGINNING}
    assert absent == {"price_volume_trend", "obv", "ad_line", "vpt", "nvi"}


def test_the_smoothed_forms_say_so():
    """Eight indicators are otherwise in the two widths; the rest of each group differs in nothing but the beginning."""
    plain, smooth = ([*trend(s, 100), *momentum(s, 100)] for s in (False, True))
    other = {a.id for a, b in zip(plain, smooth, strict=True) if a.formula != b.formula}
    assert other == {"macd_signal", "adx", "plus_di", "minus_di", "rsi_14", "rsi_28", "stochastic_d"}
