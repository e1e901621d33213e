"""One SELECT over the stored tables of an instrument, for programs that write the text themselves.

Here: the limits of such a query, and its answer.
Not here: the views that it selects from (`ml.catalog.views`).

The text is foreign: it may read the files of these tables and nothing else, change nothing, and take no more rows, time
and memory than it is given.
"""

from dataclasses import dataclass
from threading import Timer
from typing import Any

from ml.catalog import views
from ml.core.errors import DatasetError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot

MEMORY_MB = 1_024
SECONDS = 20.0
ROWS = 1_000


@dataclass(frozen=True)
class Result:
    """Rows in the order of the query; `more` says whether the limit left some out."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool


def select(root: DataRoot, instrument: Instrument, query: str, rows: int = ROWS, seconds: float = SECONDS) -> Result:
    """Run one SELECT over the views of `ml.catalog.views.connect`.

    Args:
        root: where the tables lie.
        instrument: whose rows the views hold.
        query: DuckDB's SQL.
        rows: how many to return at most.
        seconds: how long it may take.

    Raises:
        DatasetError: it is not exactly one SELECT, it failed, or it took too long.
    """
    import duckdb

    try:
        kinds = [one.type for one in duckdb.extract_statements(query)]
    except duckdb.Error as error:
        raise DatasetError(f"The query cannot be parsed: {error}") from error
    if kinds != [duckdb.StatementType.SELECT]:
        named = ", ".join(kind.name for kind in kinds) or "nothing"
        raise DatasetError(f"The query must be one SELECT, but it is: {named}.")
    with views.connect(root, instrument) as connection:
        _restrict(connection, views.files(root, instrument))
        timer = Timer(seconds, connection.interrupt)
        timer.start()
        try:
            found = connection.execute(query)
            columns = [one[0] for one in found.description or ()]
            fetched = found.fetchmany(rows + 1)
        except duckdb.InterruptException as error:
            raise DatasetError(f"The query took more than {seconds:g} s. Select fewer rows or columns.") from error
        except duckdb.Error as error:
            raise DatasetError(f"The query failed: {error}") from error
        finally:
            timer.cancel()
    return Result(columns, [list(row) for row in fetched[:rows]], len(fetched) > rows)


def _restrict(connection: Any, files: list[str]) -> None:
    """Let a connection read these files alone, for good."""
    connection.execute("set allowed_paths = ?", [files])
    for setting in (f"memory_limit = '{MEMORY_MB}MB'", "threads = 1", "temp_directory = ''"):
        connection.execute(f"set {setting}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
