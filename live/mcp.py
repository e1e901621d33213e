"""Three MCP servers over a data root, each for one kind of question, on standard input and output.

Here: the tools, which call `ml` and give JSON.
Not here: what they call; the command (`cli.mcp`).

They read. `model-updater` can also ask for a promotion if it is started with `--write`: the version then takes the way
of every other, through gates and a trial beside the champion, and no tool goes around them.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from time import time_ns
from typing import TYPE_CHECKING, Any

from ml.core import config
from ml.core.errors import DatasetError, LobforgeError
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot, partition_of
from ml.core.time import ns_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

LONGEST_LIST = 200
"""Gaps or decisions that one answer holds at most."""
FRESH_NS = 5 * 10**9
"""How old a row may be before its instrument counts as stale."""
Tool = Callable[..., Any]


def ml_data(root: DataRoot) -> "MCPServer":
    """What is stored: tables and their columns, coverage, gaps, and read-only SQL."""

    def tables() -> list[dict[str, Any]]:
        """List the tables that hold rows: what a row is, rows, bytes, dates, instruments."""
        from ml.catalog.tables import TABLES
        from ml.storage.commit import manifest

        found: list[dict[str, Any]] = []
        for spec in TABLES.values():
            entries = manifest(root, spec.name)
            if entries:
                parts = [partition_of(path) for path in entries if spec.partitioning.value.endswith("instrument")]
                found.append(
                    {
                        "table": spec.name,
                        "row": spec.row,
                        "partitioned_by": spec.partitioning.value,
                        "rows": sum(entry.rows for entry in entries.values()),
                        "bytes": sum(entry.bytes for entry in entries.values()),
                        "first": min((part.date for part in parts), default=None),
                        "last": max((part.date for part in parts), default=None),
                        "instruments": sorted({part.instrument for part in parts}),
                    }
                )
        return found

    def columns(table: str) -> list[dict[str, str]]:
        """List the columns of a table: name, dtype, unit and description."""
        from ml.catalog.tables import spec_of

        spec = spec_of(table, ())
        return [column._asdict() | {"dtype": str(column.dtype)} for column in spec.columns]

    def coverage(instrument: str | None = None) -> list[dict[str, Any]]:
        """Say per stored UTC date and instrument how long the book was known, and how many gaps there are."""
        from ml.market import gaps

        return gaps.coverage(gaps.stored(root, instrument)).to_dicts()

    def gaps(
        instrument: str | None = None, first_date: str | None = None, last_date: str | None = None
    ) -> dict[str, Any]:
        """List gaps of the book with exact bounds (ns UTC), missing update ids and reason, the newest ones first."""
        from ml.market import gaps as ledger

        found = ledger.within(ledger.gaps(ledger.stored(root, instrument)), first_date, last_date)
        newest = found.sort("start", descending=True).head(LONGEST_LIST)
        return {"gaps": newest.to_dicts(), "count": found.height, "shown": newest.height}

    def query(instrument: str, sql: str, rows: int = 100) -> dict[str, Any]:
        """Run one SELECT (DuckDB) over the tables of an instrument, prices and sizes as decimals; at most 1 000 rows.

        Each table of `tables` that is partitioned by instrument is a view of its name.
        """
        from ml.catalog import sql as reader

        one = config.load(root).instrument(instrument)
        found = reader.select(root, one, sql, min(rows, reader.ROWS))
        return json.loads(json.dumps(asdict(found), default=str))

    return _server("ml-data", "Stored market data of a lobforge data root.", tables, columns, coverage, gaps, query)


def signal_monitor(root: DataRoot) -> "MCPServer":
    """What is live: the newest feature row of each instrument, with its age, and who would answer it."""

    def instruments() -> list[dict[str, Any]]:
        """List the instruments that have a newest feature row: its time, its age, and why features are null in it."""
        from ml.feature_store.latest import newest, published

        now = time_ns()
        found: list[dict[str, Any]] = []
        for name in published(root):
            row = newest(root, name)
            reasons = {family: reason for family, reason in row.reasons.items() if reason is not None}
            found.append(
                {
                    "instrument": name,
                    "ts": row.ts,
                    "age_s": round(row.age(now) / 1e9, 3),
                    "is_fresh": row.age(now) <= FRESH_NS,
                    "null_reasons": reasons,
                }
            )
        return found

    def features(instrument: str) -> dict[str, Any]:
        """Give the newest feature row of an instrument, with its times (ns UTC), age and null reasons."""
        from ml.feature_store.latest import newest

        row = newest(root, instrument)
        return asdict(row) | {"age_s": round(row.age() / 1e9, 3)}

    def health() -> dict[str, Any]:
        """Say which instruments are fresh and which stale, and which model serves each experiment in which stage."""
        from ml.learning import experiment
        from ml.promotion import life
        from ml.promotion.registry import changes

        plan = config.load(root).lifecycle
        rows = instruments()
        serving = {
            name: asdict(life.at_time(life.of(changes(root, name)), plan, time_ns())) for name in experiment.load(root)
        }
        return {
            "fresh": [row["instrument"] for row in rows if row["is_fresh"]],
            "stale": [row["instrument"] for row in rows if not row["is_fresh"]],
            "serving": serving,
        }

    return _server(
        "signal-monitor", "What the live capture of a lobforge data root gives now.", instruments, features, health
    )


def model_updater(root: DataRoot, *, write: bool = False) -> "MCPServer":
    """What is registered and decided; with `write`, asking for a promotion."""

    def models() -> dict[str, Any]:
        """List the registered versions of each experiment, with their aliases."""
        from ml.promotion.registry import Registry

        default = Registry(root)
        return {name: [asdict(one) for one in default.of(name).versions()] for name in default.names()}

    def champion(experiment: str = DEFAULT_EXPERIMENT, at: str | None = None) -> dict[str, Any]:
        """Say which model is champion, or was at a time (UTC, like 2025-03-04T12:00:00), and since when (ns UTC)."""
        from ml.storage import decisions

        ts = time_ns() if at is None else ns_of(at)
        line = decisions.line_at(root, ts, experiment)
        since = decisions.champion_since(root, ts, experiment)
        return {"experiment": experiment, "at": ts, "champion": line.champion if line else None, "since": since}

    def decisions(experiment: str = DEFAULT_EXPERIMENT) -> list[dict[str, Any]]:
        """List the newest decisions on an experiment's models: what, when, by whom and why."""
        from ml.promotion.registry import changes

        return [asdict(change) for change in list(changes(root, experiment))[-LONGEST_LIST:]]

    def decision(number: int, experiment: str = DEFAULT_EXPERIMENT) -> dict[str, Any]:
        """Give the whole record of one decision: gates, canaries, data, hashes."""
        from ml.storage import decisions as records

        lines = {line.number: line for line in records.journal(root, experiment)}
        if number not in lines:
            raise DatasetError(f"{experiment} has no decision {number}. It has {len(lines)}.")
        return records.read(root, lines[number], experiment)

    def compare(first: str, second: str, experiment: str = DEFAULT_EXPERIMENT) -> dict[str, Any]:
        """Compare two versions by their numbers on stored rows that neither was trained on."""
        from ml.learning import experiment as experiments
        from ml.promotion import shadow
        from ml.promotion.registry import Registry

        registry = Registry(root, experiment)
        trained = [registry.load_model(registry.known(number).model_id) for number in (first, second)]
        rows = shadow.scores(root, experiments.named(root, experiment), *trained)
        found = shadow.compared(rows, config.load(root).lifecycle, trained[0].card.horizon)
        return {
            "rows": found.rows,
            "macro_accuracy": [found.first, found.second],
            "discordance": found.discordance,
            **asdict(found.look),
        }

    def ask_for_promotion(version: str, why: str, experiment: str = DEFAULT_EXPERIMENT) -> dict[str, Any]:
        """Ask for a version to become champion: it is tried beside the champion, and the policy decides.

        Where there is no champion, the gates must have passed the version.
        """
        from ml.promotion.registry import Registry

        registry = Registry(root, experiment)
        who = "mcp model-updater"
        if registry.champion() is None:
            return registry.promote(version, None, who, why)
        return registry.challenge(version, who, why)

    tools: list[Tool] = [models, champion, decisions, decision, compare]
    if write:
        tools.append(ask_for_promotion)
    return _server("model-updater", "Models and decisions of a lobforge data root.", *tools)


def _server(name: str, instructions: str, *tools: Tool) -> "MCPServer":
    from mcp.server.mcpserver import MCPServer

    server = MCPServer(name, instructions=instructions, log_level="WARNING")
    for tool in tools:
        server.add_tool(_answering(tool), name=tool.__name__, description=tool.__doc__)
    return server


def _answering(tool: Tool) -> Tool:
    """The tool, whose errors of ours the client reads; any other one is logged here and named there."""
    from functools import wraps

    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except LobforgeError as error:
            raise ToolError(str(error)) from error

    return answer
