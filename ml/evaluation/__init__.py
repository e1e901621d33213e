"""Is the number true? Gates, parity, drift, latency and leak canaries."""
