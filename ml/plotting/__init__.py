"""Plots as PNG bytes, small enough to be kept with a run."""
