"""One parser per venue: from a raw frame to book messages and trades."""
