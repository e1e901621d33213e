"""One parser a venue: a raw frame in, book messages and trades out."""
