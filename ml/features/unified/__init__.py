"""The set `unified_240`: candles of 15 minutes to 240 features, by what they look at."""
