"""Indicators of candles as compiled functions over arrays, by what they look at."""
