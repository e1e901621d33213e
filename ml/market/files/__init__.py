"""Capture files and public archives: finding, opening and indexing them, and routing frames to instruments."""
