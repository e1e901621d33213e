"""Public archives on the web: which files are missing, and fetching them."""
