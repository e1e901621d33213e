"""Features of the sample grid: one compiled function per row, batch and live."""
