"""Long-running services that use a promoted model. Imports ml only."""
