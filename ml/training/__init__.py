"""Training what may be promoted."""
