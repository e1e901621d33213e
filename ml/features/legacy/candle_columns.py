"""Columns 50 to 111 of the predecessor's arrays: the last closed minute, and indicators of the minutes before it.

Here: what each is, its fault, or why it is unavailable.
Not here: the computation (`ml.features.legacy.candles`, `ml.features.legacy.indicators`).

o h l c v are open, high, low, close and volume of a candle, x_n is x n candles ago, windows hold the newest candle.
"""

from ml.features.legacy.feature import BEGINNING, CALLS, MINUTE, PRICE, REPEATED, SIZE, TWICE, LegacyFeature

SIMPLE = "a simplified form"


def _of(
    family: str,
    name: str,
    formula: str,
    unit: str = "1",
    candles: int = 1,
    undefined: str = "null",
    fault: str = "",
    absent: str = "",
) -> LegacyFeature:
    # a row stands up to 59 s after its last closed candle
    back = 0 if absent else MINUTE * candles
    ahead = back + 59 if back else 0
    return LegacyFeature(name, family, formula, unit, ahead, back, undefined, fault=fault, absent=absent)


def _candle(name: str, formula: str, unit: str = "1", candles: int = 1, **options: str) -> LegacyFeature:
    return _of("candle", name, formula, unit, candles, **options)


def _indicator(name: str, formula: str, unit: str = "1", candles: int = 1, **options: str) -> LegacyFeature:
    return _of("indicator", name, formula, unit, candles, **options)


CANDLES = (
    *(
        _candle(name, f"{name[0]} of the last closed minute", "quote", fault=PRICE)
        for name in ("open", "high", "low", "close")
    ),
    _candle("volume", "v of the last closed minute", "base", fault=SIZE),
    _candle("typical_price", "(h + l + c) / 3", "quote", fault=PRICE),
    _candle("returns", "c / c_1 - 1", candles=2),
    _candle("log_returns", "ln(c / c_1)", candles=2),
    _candle("high_low_range", "(h - l) / c"),
    _candle("close_open_diff", "(c - o) / o"),
    _candle("upper_shadow", "(h - max(o, c)) / (h - l)", undefined="0"),
    _candle("lower_shadow", "(min(o, c) - l) / (h - l)", undefined="0"),
    _candle("body_size", "|c - o| / (h - l)", undefined="0"),
    _candle("realized_volatility", "deviation of the 19 returns of 20 closes", candles=20, fault=REPEATED),
    _candle("parkinson_volatility", "sqrt(mean ln(h / l)^2 of 20 / (4 ln 2))", candles=20, fault=REPEATED),
    _candle(
        "garman_klass_volatility",
        "sqrt(mean of ln(h / l)^2 / 2 - (2 ln 2 - 1) ln(c / o)^2, 20)",
        candles=20,
        fault=REPEATED,
    ),
    _candle("volume_ma_ratio", "v / mean v of 20", candles=20, fault=REPEATED, undefined="1"),
    _candle("volume_change_rate", "v / v_1 - 1", candles=2, undefined="0"),
    _candle("price_volume_trend", "sum of v times return", "base", absent=BEGINNING),
    _candle(
        "volume_weighted_price",
        "sum of typical price v / sum v, 20; c without volume",
        "quote",
        20,
        fault=f"{PRICE}; {REPEATED}",
    ),
    _candle("money_flow", "typical price v", "quote", fault=SIZE),
    _candle("doji_strength", "1 - |c - o| / (h - l)", fault="1 - body_size", undefined="0"),
    _candle("hammer_strength", "lower_shadow (1 - body_size)", undefined="0"),
    _candle(
        "engulfing_strength",
        "body / max(body_1, 0.001), signed as c - o, where it lies beyond the opposite body_1, else 0",
        candles=2,
        fault="0.001 is a price: where bodies are smaller the column is something else",
    ),
    _candle("gap_size", "o / c_1 - 1", candles=2, fault="nearly 0 where trading never pauses"),
)
"""The twenty-five columns of the last closed minute."""


def _directional(smooth: bool, n: int, faulty: dict[str, str]) -> list[LegacyFeature]:
    how = f"Wilder averages over 14 begun {n} candles back" if smooth else "plain means of 14"
    needs = n if smooth else 15
    adx = "Wilder average of DX over 14" if smooth else "DX alone, not its average"
    return [
        _indicator("adx", f"{adx}; {how}", candles=needs, undefined="25", **faulty),
        _indicator("plus_di", f"100 +DM / TR, {how}", candles=needs, undefined="25", **faulty),
        _indicator("minus_di", f"100 -DM / TR, {how}", candles=needs, undefined="25", **faulty),
    ]


def trend(smooth: bool, n: int) -> list[LegacyFeature]:
    """The twelve columns of averages and direction."""
    begun = f"begun {n} candles back"
    signal = "EMA 9 of macd" if smooth else "mean of the last 9 macd"
    faulty = {"fault": CALLS} if smooth else {"fault": SIMPLE}
    return [
        *(_indicator(f"sma_{k}", f"mean c of {k}", "quote", k, fault=PRICE) for k in (10, 20, 50)),
        *(_indicator(f"ema_{k}", f"EMA {k} of c, {begun}", "quote", n, fault=PRICE) for k in (10, 20, 50)),
        _indicator("macd", f"EMA 12 - EMA 26 of c, {begun}", "quote", n, fault=PRICE),
        _indicator("macd_signal", f"{signal}, {begun}", "quote", n, fault=f"{PRICE}; {faulty['fault']}"),
        _indicator("macd_histogram", "macd - macd_signal", "quote", n, fault=f"{PRICE}; {faulty['fault']}"),
        *_directional(smooth, n, faulty),
    ]


def momentum(smooth: bool, n: int) -> list[LegacyFeature]:
    """The nine columns of momentum."""
    faulty = {"fault": CALLS} if smooth else {"fault": SIMPLE}
    rsi = f"Wilder averages begun {n} candles back" if smooth else "plain means"
    third = "mean of the last 3 stochastic_k" if smooth else "stochastic_k"
    return [
        *(
            _indicator(
                f"rsi_{k}",
                f"100 U / (U + D) over {k}, {rsi}",
                candles=n if smooth else k + 1,
                undefined="100",
                **faulty,
            )
            for k in (14, 28)
        ),
        _indicator("stochastic_k", "100 (c - low 14) / (high 14 - low 14)", candles=14, undefined="50"),
        _indicator(
            "stochastic_d",
            third,
            candles=16 if smooth else 14,
            undefined="50",
            fault=CALLS if smooth else TWICE.format("stochastic_k"),
        ),
        _indicator(
            "williams_r",
            "100 (c - high 14) / (high 14 - low 14)",
            candles=14,
            undefined="-50",
            fault="stochastic_k - 100",
        ),
        _indicator("cci", "(typical - mean) / (0.015 mean |typical - mean|), 20", candles=20, undefined="0"),
        _indicator("momentum_10", "c / c_9 - 1", candles=10, fault="nine candles back, not ten"),
        _indicator("roc", "100 (c / c_11 - 1)", "%", 12, fault="eleven candles back, not twelve"),
        _indicator("mfi", "100 P / (P + N), typical price v of 14 that rose and fell", candles=15, undefined="100"),
    ]


def bands(n: int) -> list[LegacyFeature]:
    """The fourteen columns of bands and volume."""
    return [
        _indicator("bollinger_upper", "mean + 2 deviations of 20", "quote", 20, fault=PRICE),
        _indicator("bollinger_middle", "mean c of 20", "quote", 20, fault=TWICE.format("sma_20")),
        _indicator("bollinger_lower", "mean - 2 deviations of 20", "quote", 20, fault=PRICE),
        _indicator("bollinger_width", "4 deviations / mean of 20", candles=20),
        _indicator("bollinger_pct", "(c - lower) / (upper - lower)", candles=20, undefined="0.5"),
        _indicator("atr_14", "mean true range of 14", "quote", 15, fault=PRICE),
        _indicator("keltner_upper", "ema_20 + 2 atr_14", "quote", n, fault=PRICE),
        _indicator("keltner_lower", "ema_20 - 2 atr_14", "quote", n, fault=PRICE),
        _indicator("obv", "sum of v signed as c - c_1", "base", absent=BEGINNING),
        _indicator(
            "vwap", "sum of typical price v / sum v, 20", "quote", 20, fault=TWICE.format("volume_weighted_price")
        ),
        _indicator("ad_line", "sum of v (2 c - h - l) / (h - l)", "base", absent=BEGINNING),
        _indicator("cmf", "sum of v (2 c - h - l) / (h - l) / sum v, 20", candles=20, undefined="0"),
        _indicator("vpt", "sum of v times return", "base", absent=BEGINNING),
        _indicator("nvi", "1000 compounded with returns of falling volume", absent=BEGINNING),
    ]


def aroon() -> list[LegacyFeature]:
    """The two columns that came in November 2025."""
    formula = "100 (25 - candles since the {} of 25) / 25"
    fault = "25 candles instead of 26, and the oldest of equal extremes: never 0"
    return [
        _indicator("aroon_up", formula.format("highest high"), candles=25, fault=fault),
        _indicator("aroon_down", formula.format("lowest low"), candles=25, fault=fault),
    ]
