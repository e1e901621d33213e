"""Cues of layering: clusters of large new lots that are pulled together, their features and their score."""
