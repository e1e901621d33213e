"""What each column of `unified_240` is, by family: formula, unit, look-back.

Here: one line per column, and the lengths that columns and computations share.
Not here: the computations (by family, in a module of its name), the order of the set (`table`).
"""

from math import ceil, log

from ml.features.candle.sets import Column

STEP = 15 * 60 * 10**9
"""Length of a candle, ns."""
HOUR = 4
DAY = 96
WEEK = 672
"""The same in candles."""
AVERAGES = {"sma": (5, 10, 20, 50), "ema": (10, 20, 50)}
WINDOWS = (4, 8, 12, 24)
"""Hours over which volume is summed."""
EXTREMES = (20, 50, 100)
APART = 14
"""Candles between the two ends of a divergence."""
SESSIONS = {"asian_session": (0, 8), "european_session": (7, 16), "american_session": (13, 22)}
FORGOTTEN = 1e-12
"""The weight at which a recursive average has forgotten a row; below 1e-9, since what it began with can be a thousand
times what follows."""
FRAMES = {"1h": HOUR, "4h": 4 * HOUR}


def ema_settles(n: int) -> int:
    """Rows after which an EMA of n is the same to 1e-9 wherever the array began."""
    return n + ceil(log(FORGOTTEN) / log(1 - 2 / (n + 1)))


def wilder_settles(n: int) -> int:
    """Rows after which Wilder's smoothing of n has settled."""
    return n + ceil(log(FORGOTTEN) / log(1 - 1 / n))


_MACD_LINE = ema_settles(26)
_MACD = _MACD_LINE + ema_settles(9)
_WILDER_14 = wilder_settles(14) + 1
_ADX = 2 * _WILDER_14
_KELTNER = max(ema_settles(20), _WILDER_14)
_GARCH = 20 + 447 + 1
"""Twenty returns to begin with, until .94^n is 1e-12."""
_VOTES_NEED = max(_MACD, ema_settles(50))

PRICE = (
    Column("open", "o", "quote"),
    Column("high", "h", "quote"),
    Column("low", "l", "quote"),
    Column("close", "c", "quote"),
    Column("returns", "c / c_1 - 1", "1", 2),
    *(Column(f"returns_{n}", f"c / c_{n} - 1", "1", n + 1) for n in (5, 10, 20)),
    Column("high_low_ratio", "h / l", "1"),
    Column("close_open_ratio", "c / o", "1"),
    Column("close_position", "(c - l) / (h - l)", "1"),
    Column("vwap", "sum q / sum v, 20", "quote", 20),
    Column("close_vwap_ratio", "c / vwap", "1", 20),
    Column("vwap_extreme_deviation", "(c - vwap) / sd of c, 20", "1", 20),
    *(Column(f"sma_{n}", f"mean c, {n}", "quote", n) for n in AVERAGES["sma"]),
    *(Column(f"close_sma_{n}_ratio", f"c / mean c, {n}", "1", n) for n in AVERAGES["sma"]),
    *(Column(f"ema_{n}", f"EMA c, {n}", "quote", ema_settles(n)) for n in AVERAGES["ema"]),
    *(Column(f"close_ema_{n}_ratio", f"c / EMA c, {n}", "1", ema_settles(n)) for n in AVERAGES["ema"]),
    Column("vwma_20", "sum c v / sum v, 20", "quote", 20),
    Column("close_vwma_ratio", "c / vwma_20", "1", 20),
    Column("hl_spread", "(h - l) / c", "1"),
    Column("hl_spread_ma", "mean hl_spread, 20", "1", 20),
    Column("momentum_1h", "c / c_4 - 1", "1", 5),
    Column("momentum_4h", "c / c_16 - 1", "1", 17),
    Column("momentum_24h", "c / c_96 - 1", "1", 97),
    Column("momentum_acceleration", "momentum_1h - momentum_1h 4 candles ago", "1", 9),
    Column("pivot", "P = (H + L + C) / 3 of the UTC day before", "quote", 2 * DAY),
    Column("resistance1", "2 P - L", "quote", 2 * DAY),
    Column("support1", "2 P - H", "quote", 2 * DAY),
    Column("resistance2", "P + H - L", "quote", 2 * DAY),
    Column("support2", "P - H + L", "quote", 2 * DAY),
    Column("dist_to_resistance1", "resistance1 / c - 1", "1", 2 * DAY),
    Column("dist_to_support1", "1 - support1 / c", "1", 2 * DAY),
)

OSCILLATORS = (
    Column("rsi", "RSI 14 of Wilder", "%", _WILDER_14),
    Column("rsi_oversold", "rsi < 30", "flag", _WILDER_14),
    Column("rsi_overbought", "rsi > 70", "flag", _WILDER_14),
    Column("macd", "EMA 12 - EMA 26 of c", "quote", _MACD_LINE),
    Column("macd_signal", "EMA 9 of macd", "quote", _MACD),
    Column("macd_diff", "macd - macd_signal", "quote", _MACD),
    Column("stoch_k", "slow %K 14, 3", "%", 16),
    Column("stoch_d", "%D: mean stoch_k, 3", "%", 18),
    Column("adx", "ADX 14 of Wilder", "%", _ADX),
    Column("adx_pos", "+DI 14", "%", _WILDER_14),
    Column("adx_neg", "-DI 14", "%", _WILDER_14),
    Column("adxr", "(adx + adx_13) / 2", "%", _ADX + 13),
    Column("mfi", "money flow index 14", "%", 15),
    Column("mfi_overbought", "mfi > 80", "flag", 15),
    Column("mfi_oversold", "mfi < 20", "flag", 15),
    Column("cci", "CCI 20", "1", 20),
    Column("cci_overbought", "cci > 100", "flag", 20),
    Column("cci_oversold", "cci < -100", "flag", 20),
    Column("williams_r", "Williams %R 14", "%", 14),
    Column("ultimate_oscillator", "ultimate oscillator 7, 14, 28", "%", 29),
    Column("aroon_up", "100 (25 - candles since the highest high) / 25", "%", 26),
    Column("aroon_down", "100 (25 - candles since the lowest low) / 25", "%", 26),
    Column("aroon_oscillator", "aroon_up - aroon_down", "%", 26),
    Column("roc", "100 (c / c_12 - 1)", "%", 13),
    Column("trix", "100 x change of EMA EMA EMA c, 15", "%", 3 * ema_settles(15)),
    Column("bearish_divergence_rsi", "c > c_14 and rsi < rsi_14", "flag", _WILDER_14 + APART),
    Column("bullish_divergence_rsi", "c < c_14 and rsi > rsi_14", "flag", _WILDER_14 + APART),
    Column("bearish_divergence_macd", "c > c_14 and macd < macd_14", "flag", _MACD_LINE + APART),
    Column("bullish_divergence_macd", "c < c_14 and macd > macd_14", "flag", _MACD_LINE + APART),
    Column("efficiency_ratio", "|c - c_10| / sum |c - c_1|, 10", "1", 11),
    Column("trend_quality", "R^2 of c on time, 20", "1", 20),
)

BANDS = (
    Column("bb_middle", "mean p, 20, p = (h + l + c) / 3", "quote", 20),
    Column("bb_high", "bb_middle + 2 sd p, 20", "quote", 20),
    Column("bb_low", "bb_middle - 2 sd p, 20", "quote", 20),
    Column("bb_width", "(bb_high - bb_low) / bb_middle", "1", 20),
    Column("bb_position", "(c - bb_low) / (bb_high - bb_low)", "1", 20),
    Column("bb_breakout_upper", "c > bb_high", "flag", 20),
    Column("bb_breakout_lower", "c < bb_low", "flag", 20),
    Column("bb_breakout_strength", "how far c is outside, / c; negative below", "1", 20),
    Column("atr", "ATR 14 of Wilder", "quote", _WILDER_14),
    Column("atr_pct", "atr / c", "1", _WILDER_14),
    Column("psar", "parabolic SAR .02, .2, begun at 00:00 UTC of the day before", "quote", 2 * DAY),
    Column("psar_trend", "sign(c - psar)", "1", 2 * DAY),
    Column("psar_distance", "(c - psar) / c", "1", 2 * DAY),
    Column("psar_distance_normalized", "(c - psar) / atr", "1", _WILDER_14),
    Column("ichimoku_conversion", "(max h + min l) / 2, 9", "quote", 9),
    Column("ichimoku_base", "(max h + min l) / 2, 26", "quote", 26),
    Column("ichimoku_span_a", "(conversion_26 + base_26) / 2: the cloud as drawn now", "quote", 52),
    Column("ichimoku_span_b", "(max h + min l) / 2 of 52, 26 candles ago", "quote", 78),
    Column("ichimoku_cloud_thickness", "(span_a - span_b) / c", "1", 78),
    Column("price_vs_cloud", "c / ((span_a + span_b) / 2) - 1", "1", 78),
    Column("keltner_middle", "EMA p, 20", "quote", ema_settles(20)),
    Column("keltner_upper", "keltner_middle + 2 atr", "quote", _KELTNER),
    Column("keltner_lower", "keltner_middle - 2 atr", "quote", _KELTNER),
    Column("keltner_position", "(c - keltner_lower) / (4 atr)", "1", _KELTNER),
    Column("donchian_upper", "max h of the 20 candles before", "quote", 21),
    Column("donchian_middle", "(donchian_upper + donchian_lower) / 2", "quote", 21),
    Column("donchian_lower", "min l of the 20 candles before", "quote", 21),
    Column("donchian_breakout", "1 if c > donchian_upper, -1 if c < donchian_lower, else 0", "1", 21),
    Column("volatility_squeeze", "Bollinger inside Keltner", "flag", _KELTNER),
    Column("volatility_squeeze_duration", "share of the last 96 candles in a squeeze", "1", _KELTNER + DAY),
)

VOLUME = (
    Column("volume", "v", "base"),
    Column("turnover", "q", "quote"),
    Column("volume_ratio", "v / mean v, 20", "1", 20),
    Column("turnover_ratio", "q / mean q, 20", "1", 20),
    Column("volume_zscore", "(v - mean v) / sd v, 20", "1", 20),
    Column("volume_spike", "volume_ratio > 2", "flag", 20),
    Column("volume_spike_magnitude", "max(volume_ratio - 2, 0)", "1", 20),
    *(Column(f"volume_cumsum_{h}h", f"sum v, {h} h", "base", h * HOUR) for h in WINDOWS),
    *(Column(f"volume_cumsum_{h}h_ratio", f"mean v of {h} h / mean v of 7 days", "1", WEEK) for h in WINDOWS),
    Column("dollar_volume", "ln(1 + q)", "ln quote"),
    Column("accumulation_distribution", "sum of v ((c - l) - (h - c)) / (h - l) / sum v, 96", "1", DAY),
    Column("cmf", "sum of v ((c - l) - (h - c)) / (h - l) / sum v, 20", "1", 20),
    Column("obv", "sum s / sum v, 96, s = v sign(c - c_1)", "1", DAY + 1),
    Column("obv_ema", "mean obv, 20", "1", DAY + 20),
    Column("obv_trend", "obv - obv_ema", "1", DAY + 20),
    Column("obv_normalized", "sum s / sum v, 20", "1", 21),
    Column("obv_divergence", "sign(obv_normalized) - sign(c - c_20)", "1", 21),
    Column("price_direction", "sign(c - c_1)", "1", 2),
    Column("directed_volume", "s = v sign(c - c_1)", "base", 2),
    Column("volume_imbalance", "sum s / sum v, 10", "1", 11),
    Column("ofi_persistence", "sum s s_1 / sum s^2, 20", "1", 22),
    Column("vpin", "mean |B - S| / mean v, 50; B = v Phi((c - c_1) / sd of it, 50), S = v - B", "1", 100),
    Column("price_impact", "1e4 |r| / (q / mean q of 96)", "bps", DAY),
    Column("price_impact_log", "ln(1 + price_impact)", "1", DAY),
    Column("toxicity", "mean price_impact, 20", "bps", DAY + 19),
    Column("amihud_illiquidity", "1e6 |r| / q", "1 / M quote", 2),
    Column("amihud_ma", "mean amihud_illiquidity, 20", "1 / M quote", 21),
    Column("kyle_lambda", "1e4 sum r s / sum s^2 mean v, 20: slope of the return on the sided volume", "bps", 21),
    Column("liquidity_adj_returns", "r volume_ratio", "1", 20),
    Column("volume_volatility_ratio", "volume_ratio / ((h - l) / mean (h - l), 20)", "1", 20),
    Column("volatility_volume_ratio", "sd r, 20 / volume_ratio", "1", 21),
    Column("liquidity_score", "ln(mean q of 20 / mean q of 7 days)", "1", WEEK),
    Column("liquidity_rank", "share of the 96 candles before with less turnover", "1", DAY + 1),
    Column("funding_proxy", "1e4 (c sum v / sum q - 1), 8 h: premium over what was paid", "bps", 8 * HOUR),
)

RANGES = (
    *(Column(f"local_high_{n}", f"max h, {n}", "quote", n) for n in EXTREMES),
    *(Column(f"local_low_{n}", f"min l, {n}", "quote", n) for n in EXTREMES),
    *(Column(f"distance_from_high_{n}", f"c / max h - 1, {n}", "1", n) for n in EXTREMES),
    *(Column(f"distance_from_low_{n}", f"c / min l - 1, {n}", "1", n) for n in EXTREMES),
    *(Column(f"position_in_range_{n}", f"(c - min l) / (max h - min l), {n}", "1", n) for n in EXTREMES),
    Column("daily_high", "max h, 96", "quote", DAY),
    Column("daily_low", "min l, 96", "quote", DAY),
    Column("daily_range", "(daily_high - daily_low) / c", "1", DAY),
    Column("position_in_daily_range", "(c - daily_low) / (daily_high - daily_low)", "1", DAY),
    Column("near_daily_high", "c > 0.995 daily_high", "flag", DAY),
    Column("near_daily_low", "c < 1.005 daily_low", "flag", DAY),
    Column("uptrend_structure", "max h and min l of 20 both above those 20 candles ago", "flag", 40),
    Column("downtrend_structure", "max h and min l of 20 both below those 20 candles ago", "flag", 40),
    Column("spring_pattern", "l < min l of the 20 before, c above it", "flag", 21),
    Column("fractal_dimension", "1 + log2((R + R_10) / R of 20), R = max h - min l, 10; of a line 1", "1", 20),
    Column("long_liquidation_risk", "largest fall within a candle, max (o - l) / o, 96", "1", DAY),
    Column("short_liquidation_risk", "largest rise within a candle, max (h - o) / o, 96", "1", DAY),
)

RISK = (
    Column("realized_vol_5m", "ln(h / l) / sqrt(4 ln 2) / sqrt(3): of this candle, per 5 min (Parkinson)", "1"),
    Column("realized_vol_15m", "Parkinson over 4 candles, per candle", "1", HOUR),
    Column("realized_vol_1h", "sqrt(sum r^2), 4", "1", HOUR + 1),
    Column("realized_vol_daily", "sqrt(sum r^2), 96", "1", DAY + 1),
    Column("realized_vol_annual", "sqrt(365 / 7 sum r^2), 7 days", "1", WEEK + 1),
    Column("realized_vol", "sd r, 20", "1", 21),
    Column("garch_vol", "sqrt of r^2 smoothed by .94 (RiskMetrics)", "1", _GARCH),
    Column("vol_regime", "realized_vol / rms r of 96", "1", DAY + 1),
    Column("var_95", "- the fifth smallest r of 96", "1", DAY + 1),
    Column("cvar_5pct", "- the mean of the five smallest r of 96", "1", DAY + 1),
    Column("price_jump", "r / sqrt(bipower variation of the 96 before)", "1", DAY + 3),
    Column("jump_intensity", "share of |price_jump| > 4, 96", "1", 2 * DAY + 2),
    Column("cascade_risk", "(h - l) / mean (h - l), 20, times v / mean v, 20", "1", 20),
    Column("hurst_exponent", "ln(rms of 16-candle log returns / rms of 4-candle ones, 96) / ln 4", "1", DAY + 16),
    Column("return_entropy", "entropy of r over four bins at -rms, 0, rms of 96; / ln 4, 96", "1", 2 * DAY),
    *(Column(f"returns_ac_{k}", f"sum r r_{k} / sum r^2, 96", "1", DAY + k + 1) for k in (1, 5, 10)),
)

CALENDAR = (
    Column("hour", "UTC hour", "h"),
    Column("minute", "minute of the hour", "min"),
    Column("hour_sin", "sin(2 pi (hour + minute / 60) / 24)", "1"),
    Column("hour_cos", "cos(2 pi (hour + minute / 60) / 24)", "1"),
    Column("dayofweek", "0 Monday to 6 Sunday", "1"),
    Column("is_weekend", "Saturday or Sunday", "flag"),
    Column("dow_sin", "sin(2 pi dayofweek / 7)", "1"),
    Column("dow_cos", "cos(2 pi dayofweek / 7)", "1"),
    *(Column(name, f"UTC hour in [{start}, {end})", "flag") for name, (start, end) in SESSIONS.items()),
    Column("session_overlap", "UTC hour in [13, 16)", "flag"),
)

OWN = (
    ("close_sma_20_ratio", "c / mean c, 20", "1", 20),
    ("rsi", "RSI 14 of Cutler: 100 rises / (rises + falls), 14", "%", 15),
    ("bb_position", "position of c between mean c -+ 2 sd, 20", "1", 20),
    ("bb_width", "4 sd c / mean c, 20", "1", 20),
    ("stoch_k", "slow %K 14, 3", "%", 16),
    ("cci", "CCI 20", "1", 20),
    ("roc", "100 (c / c_12 - 1)", "%", 13),
    ("atr_pct", "mean true range / c, 14", "1", 15),
    ("aroon_oscillator", "aroon up - down, 25", "%", 26),
    ("efficiency_ratio", "|c - c_10| / sum |c - c_1|, 10", "1", 11),
    ("cmf", "Chaikin money flow, 20", "1", 20),
    ("mfi", "money flow index 14", "%", 15),
    ("volume_ratio", "v / mean v, 20", "1", 20),
    ("close_position", "(c - l) / (h - l)", "1", 1),
    ("volatility", "sd r, 20", "1", 21),
)
"""Of each coarse candle: id, formula, unit, coarse candles needed."""
TIMEFRAMES = tuple(
    column
    for name, k in FRAMES.items()
    for column in (
        Column(f"trend_{name}", f"sign(c - mean c, 20), {name} candles", "1", 21 * k - 1),
        Column(
            f"trend_{name}_strength", f"mean c, 20 / mean c, 20, 5 candles ago - 1, {name} candles", "1", 26 * k - 1
        ),
        *(
            Column(f"{own}_{name}", f"{formula}, {name} candles", unit, (n + 1) * k - 1)
            for own, formula, unit, n in OWN
        ),
    )
)
VOTES = (
    "rsi > 50, macd > macd_signal, c > sma_20, c > ema_50, "
    "adx_pos > adx_neg, stoch_k > stoch_d, cmf > 0, obv_normalized > 0"
)
CONSENSUS = (
    Column("indicators_count_long", f"how many of: {VOTES}", "1", _VOTES_NEED),
    Column("indicators_count_short", "how many of the same hold with < for >", "1", _VOTES_NEED),
    Column("indicators_consensus_long", "mean indicators_count_long / 8, 4", "1", _VOTES_NEED + 3),
    Column("indicators_consensus_short", "mean indicators_count_short / 8, 4", "1", _VOTES_NEED + 3),
    Column("signal_strength", "|indicators_count_long - indicators_count_short| / 8", "1", _VOTES_NEED),
)
FAMILIES = {
    "price": PRICE,
    "oscillators": OSCILLATORS,
    "bands": BANDS,
    "volume": VOLUME,
    "ranges": RANGES,
    "risk": RISK,
    "calendar": CALENDAR,
    "timeframes": TIMEFRAMES,
    "consensus": CONSENSUS,
}
"""Families in the order in which they are computed; the last uses columns of those before."""
