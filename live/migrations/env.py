"""Alembic runs this to migrate the database whose connection it was given (`live.signal_table`)."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="signals_version")
with context.begin_transaction():
    context.run_migrations()
