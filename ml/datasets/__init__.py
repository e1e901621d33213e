"""From feature rows to what a model is trained on: the panel and its splits."""
