"""The pure library: frames and arrays in; frames, models and numbers out. It knows neither Dagster nor its callers."""
