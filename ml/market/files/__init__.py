"""Capture files and public archives: finding, opening and indexing them, and whose each frame is."""
