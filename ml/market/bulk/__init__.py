"""The compiled fast path for the most frequent messages; it gives what `ml.market.decode` gives."""
