"""A venue with known answers."""
