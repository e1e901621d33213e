"""The set `unified_240` as a table: 240 columns in the order of the list that the unified model was built for.

Here: the order, which names of the old list were replaced and why, the set.
Not here: what the columns are (`columns`), the computation (`ml.features.candle.build`).
"""

from ml.features.candle.columns import FAMILIES, FRAMES, OWN
from ml.features.candle.sets import CandleSet

_OLD = """
    open high low close volume turnover returns returns_5 returns_10 returns_20 high_low_ratio close_open_ratio
    close_position volume_ratio turnover_ratio vwap close_vwap_ratio vwap_extreme_deviation sma_5
    close_sma_5_ratio sma_10 close_sma_10_ratio sma_20 close_sma_20_ratio sma_50 close_sma_50_ratio ema_10
    close_ema_10_ratio ema_20 close_ema_20_ratio ema_50 close_ema_50_ratio rsi rsi_oversold rsi_overbought macd
    macd_signal macd_diff bb_high bb_low bb_middle bb_width bb_position bb_breakout_upper bb_breakout_lower
    bb_breakout_strength atr atr_pct stoch_k stoch_d adx adx_pos adx_neg psar psar_trend psar_distance
    psar_distance_normalized ichimoku_conversion ichimoku_base ichimoku_span_a ichimoku_span_b
    ichimoku_cloud_thickness price_vs_cloud keltner_upper keltner_middle keltner_lower keltner_position
    donchian_upper donchian_middle donchian_lower donchian_breakout vwma_20 close_vwma_ratio mfi mfi_overbought
    mfi_oversold cci cci_overbought cci_oversold williams_r ultimate_oscillator accumulation_distribution obv
    obv_ema obv_trend cmf adxr aroon_up aroon_down aroon_oscillator pivot resistance1 support1 resistance2
    support2 dist_to_resistance1 dist_to_support1 roc trix hl_spread hl_spread_ma price_direction
    directed_volume volume_imbalance dollar_volume price_impact price_impact_log toxicity amihud_illiquidity
    amihud_ma kyle_lambda volatility_volume_ratio realized_vol_1h realized_vol_daily realized_vol_annual
    realized_vol volume_volatility_ratio volume_cumsum_4h volume_cumsum_4h_ratio volume_cumsum_8h
    volume_cumsum_8h_ratio volume_cumsum_12h volume_cumsum_12h_ratio volume_cumsum_24h volume_cumsum_24h_ratio
    volume_zscore volume_spike volume_spike_magnitude local_high_20 local_low_20 distance_from_high_20
    distance_from_low_20 position_in_range_20 local_high_50 local_low_50 distance_from_high_50
    distance_from_low_50 position_in_range_50 local_high_100 local_low_100 distance_from_high_100
    distance_from_low_100 position_in_range_100 volatility_squeeze volatility_squeeze_duration
    bearish_divergence_rsi bullish_divergence_rsi bearish_divergence_macd bullish_divergence_macd obv_normalized
    obv_divergence momentum_1h momentum_4h momentum_24h momentum_acceleration spring_pattern
    indicators_consensus_long indicators_count_long indicators_consensus_short indicators_count_short trend_1h
    trend_1h_strength trend_4h trend_4h_strength daily_high daily_low daily_range position_in_daily_range
    near_daily_high near_daily_low uptrend_structure downtrend_structure news_risk liquidity_score
    liquidity_rank signal_strength long_liquidation_price short_liquidation_price long_liquidation_distance_pct
    short_liquidation_distance_pct current_leverage long_liquidation_risk short_liquidation_risk
    optimal_leverage safe_leverage cascade_risk funding_proxy long_holding_cost_daily short_holding_cost_daily
    var_95 recommended_position_size hurst_exponent fractal_dimension efficiency_ratio trend_quality
    realized_vol_5m realized_vol_15m garch_vol vol_regime return_entropy btc_beta idio_vol returns_ac_1
    returns_ac_5 returns_ac_10 price_jump jump_intensity ofi_persistence vpin liquidity_adj_returns cvar_5pct
    hour minute hour_sin hour_cos dayofweek is_weekend dow_sin dow_cos day month month_sin month_cos
    asian_session european_session american_session session_overlap long_tp1_time long_tp2_time long_tp3_time
    long_sl_time short_tp1_time short_tp2_time short_tp3_time short_sl_time long_expected_value
    short_expected_value long_optimal_entry_time long_optimal_entry_price long_optimal_entry_improvement
""".split()  # noqa: SIM905

REPLACED = {
    "leaks the target, or a constant that stands for an exit time": """
    long_tp1_time long_tp2_time long_tp3_time long_sl_time short_tp1_time short_tp2_time short_tp3_time
    short_sl_time long_expected_value short_expected_value long_optimal_entry_time long_optimal_entry_price
    long_optimal_entry_improvement
""".split(),  # noqa: SIM905
    "a constant, or a fixed multiple of the close": """
    news_risk long_liquidation_price short_liquidation_price long_liquidation_distance_pct
    short_liquidation_distance_pct current_leverage optimal_leverage safe_leverage long_holding_cost_daily
    short_holding_cost_daily recommended_position_size
""".split(),  # noqa: SIM905
    "needs another instrument": ["btc_beta", "idio_vol"],
    "tells one interval of history from another": ["day", "month", "month_sin", "month_cos"],
}
"""Names of the old list that stand for nothing honest, by what is wrong with them."""

IN_PLACE: dict[str, str] = dict(
    zip(
        (name for name in _OLD if any(name in names for names in REPLACED.values())),
        (f"{own}_{frame}" for frame in FRAMES for own, *_ in OWN),
        strict=True,
    )
)
"""What stands in their places: indicators of closed candles of one and four hours."""

_BY_NAME = {column.id: (family, column) for family, columns in FAMILIES.items() for column in columns}
_NAMES = [IN_PLACE.get(name, name) for name in _OLD]
UNIFIED = CandleSet(
    name="unified_240",
    timeframe="15m",
    horizons=("15m", "1h", "4h", "12h"),
    columns=tuple(_BY_NAME[name][1] for name in _NAMES),
    families=tuple(_BY_NAME[name][0] for name in _NAMES),
)
