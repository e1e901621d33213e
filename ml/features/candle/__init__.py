"""The set `unified_240` of candles of 15 minutes, by family."""
