"""The `lobforge` command: one module per command."""
