"""Is the number true? Walk-forward metrics, canaries, gates, parity and latency."""
