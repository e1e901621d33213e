"""Candles: from trades, from the venue over REST, resampled, reconciled, by month."""
