"""Feature functions by family, the table that names them, and the two drivers, batch and online."""
