"""Signals in a database: SQLite by default, Postgres by URL.

Here: the tables, their migration, and the newest signal on record.
Not here: when something is written (`live.sinks`), the versions of the tables (`live.migrations`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from live.signals import Missed, Signal
from ml.core.addresses import sqlite_url
from ml.core.errors import SettingsError, StoreError
from ml.core.paths import DataRoot


class SignalTable:
    """The tables `signals` and `missed_signals` of a database; writing a row again changes nothing.

    Args:
        url: of SQLAlchemy.

    Raises:
        SettingsError: the database cannot be reached or migrated.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = sa.create_engine(url, pool_pre_ping=True)
            with self.engine.begin() as connection:
                _migrate(connection)
                self.signals = sa.Table("signals", sa.MetaData(), autoload_with=connection)
                self.missed = sa.Table("missed_signals", sa.MetaData(), autoload_with=connection)
        except (SQLAlchemyError, ImportError) as error:
            hidden = sa.engine.make_url(url).render_as_string(hide_password=True)
            raise SettingsError(f"{hidden}: the signals' tables cannot be opened: {error}") from error

    def write(self, rows: Sequence[Signal | Missed]) -> None:
        """Store signals and missed steps in one transaction.

        Raises:
            StoreError: nothing was stored.
        """
        signals = [_row(one) for one in rows if isinstance(one, Signal)]
        missed = [vars(one) for one in rows if isinstance(one, Missed)]
        insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        try:
            with self.engine.begin() as connection:
                for table, given in ((self.signals, signals), (self.missed, missed)):
                    if given:
                        connection.execute(insert(table).on_conflict_do_nothing(), given)
        except SQLAlchemyError as error:
            raise StoreError(f"{len(rows)} signals could not be stored: {error}") from error

    def newest(self) -> dict[tuple[str, str], int]:
        """The time of the newest signal (ns UTC) by experiment and instrument."""
        one = self.signals.c
        query = sa.select(one.experiment, one.instrument, sa.func.max(one.ts)).group_by(one.experiment, one.instrument)
        with self.engine.connect() as connection:
            return {(experiment, instrument): ts for experiment, instrument, ts in connection.execute(query)}


def default_url(root: DataRoot) -> str:
    """The database of a data root."""
    root.meta.mkdir(parents=True, exist_ok=True)
    return sqlite_url(root.meta / "signals.sqlite")


def _migrate(connection: sa.Connection) -> None:
    """Bring the tables to the newest version; of several that start at once one does it, the others wait."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("select pg_advisory_xact_lock(7206021)"))
    else:
        connection.exec_driver_sql("pragma journal_mode = wal")
        connection.exec_driver_sql("begin immediate")
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")


def _row(signal: Signal) -> dict[str, Any]:
    row = msgspec.structs.asdict(signal)
    down, neutral, up = row.pop("probabilities") or (None, None, None)
    return row | {"p_down": down, "p_neutral": neutral, "p_up": up}
