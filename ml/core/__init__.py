"""Errors, settings, configuration, instruments, time and paths: what every other package uses."""
