"""Reading the feature store: rows as they could be known at a time, and datasets named by their content."""
