"""Signals, and the steps without one."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "signals",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("experiment", sa.Text, nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("ts", sa.BigInteger, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("valid_until", sa.BigInteger),
        sa.Column("data_age_ms", sa.Double, nullable=False),
        sa.Column("direction", sa.Text),
        sa.Column("p_down", sa.Double),
        sa.Column("p_neutral", sa.Double),
        sa.Column("p_up", sa.Double),
        sa.Column("size", sa.Double),
        sa.Column("withheld", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("role", sa.Text),
        sa.Column("feature_set", sa.Text),
    )
    op.create_index("signals_by_time", "signals", ["experiment", "instrument", "ts"])
    op.create_table(
        "missed_signals",
        sa.Column("experiment", sa.Text, primary_key=True),
        sa.Column("instrument", sa.Text, primary_key=True),
        sa.Column("first_ts", sa.BigInteger, primary_key=True),
        sa.Column("last_ts", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
