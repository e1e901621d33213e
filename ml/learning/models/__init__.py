"""The models we train, each with a text format that holds no code."""
