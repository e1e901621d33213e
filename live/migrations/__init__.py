"""Migrations of the signals' database by Alembic, one module per version of its tables."""
