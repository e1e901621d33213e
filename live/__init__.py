"""The street door: commands that read captures and serve the promoted model. Imports ml only."""
