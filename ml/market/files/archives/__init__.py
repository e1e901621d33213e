"""Readers of public archives and foreign captures, one module per source."""
