"""Every stored table and model, one Dagster asset each, in a few lines that call ml."""
