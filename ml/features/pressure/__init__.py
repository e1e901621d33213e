"""Spoofing pressure: how much of each side is large and new, how much of that is pulled, and what the pulls tilt."""
