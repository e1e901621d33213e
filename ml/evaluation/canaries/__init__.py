"""Leak canaries: tests that a pipeline which sees the future fails."""
