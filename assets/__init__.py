"""Every table and model we keep, one Dagster asset each, in a few lines that call ml."""
