"""Candles: from trades, from the venue over REST, resampled, compared, by month."""
