"""Requests to train the model of cues: durable rows, so that a request outlives the process that took it.

Here: the rows in SQLite, and what became of each.
Not here: who asks (`live.collector`), who starts the run (`pipelines.sensors`), training (`ml.layering.model`).

A request that was accepted survives a kill and a power cut: WAL mode, synchronous FULL, committed before the call
returns.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from ml.core.errors import DatasetError
from ml.storage import durable

QUEUED, STARTED, SUCCEEDED, FAILED = STATES = ("queued", "started", "succeeded", "failed")
OPEN = (QUEUED, STARTED)
WAIT_S = 60
"""Seconds to wait for another writer."""
_SCHEMA = """
create table if not exists requests (
    id integer primary key autoincrement,
    idempotency_key text unique not null,
    asked_by text not null,
    asked_at integer not null,
    state text not null check (state in ('queued', 'started', 'succeeded', 'failed')),
    run_id text,
    changed_at integer not null,
    detail text not null default ''
);
"""


class TrainRequest(NamedTuple):
    """One request: times are ns UTC, `run_id` is that of the Dagster run, None before there is one."""

    id: int
    idempotency_key: str
    asked_by: str
    asked_at: int
    state: str
    run_id: str | None
    changed_at: int
    detail: str


class TrainRequests:
    """The rows in a file; each call is one transaction, so several processes may use it.

    Args:
        path: the SQLite file; it is made if there is none.
    """

    def __init__(self, path: Path) -> None:
        is_new = not path.exists()
        durable.make_folder(path.parent)
        self.connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = full")
        self.connection.executescript(_SCHEMA)
        if is_new:
            durable.sync_folder(path.parent)

    def __enter__(self) -> "TrainRequests":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, idempotency_key: str, asked_by: str, time: int) -> tuple[TrainRequest, bool]:
        """Add a request, and whether it is new: the same key of the same person gives the same request.

        Raises:
            DatasetError: somebody else used the key.
        """
        self.connection.execute("begin immediate")
        with self.connection:  # commits, or rolls back if there was an error
            is_new = not self._where("idempotency_key = ?", idempotency_key)
            if is_new:
                self.connection.execute(
                    "insert into requests (idempotency_key, asked_by, asked_at, state, changed_at)"
                    " values (?, ?, ?, ?, ?)",
                    (idempotency_key, asked_by, time, QUEUED, time),
                )
        (found,) = self._where("idempotency_key = ?", idempotency_key)
        if found.asked_by != asked_by:
            raise DatasetError("Another person used this idempotency key. Take a new one, for example a UUID.")
        return found, is_new

    def get(self, number: int) -> TrainRequest | None:
        """The request with an id."""
        return next(iter(self._where("id = ?", number)), None)

    def newest(self) -> TrainRequest | None:
        """The last request."""
        return next(iter(self._where("id = (select max(id) from requests)")), None)

    def open(self) -> list[TrainRequest]:
        """Requests that have not ended, oldest first."""
        return self._where("state in (?, ?) order by id", *OPEN)

    def move(self, number: int, state: str, time: int, run_id: str | None = None, detail: str = "") -> None:
        """Note what became of a request that has not ended; one that has ended stays as it is."""
        self.connection.execute(
            "update requests set state = ?, changed_at = ?, run_id = coalesce(?, run_id), detail = ?"
            " where id = ? and state in (?, ?)",
            (state, time, run_id, detail, number, *OPEN),
        )

    def _where(self, condition: str, *values: object) -> list[TrainRequest]:
        rows = self.connection.execute(f"select * from requests where {condition}", values)  # noqa: S608 - ours
        return [TrainRequest(*row) for row in rows]
