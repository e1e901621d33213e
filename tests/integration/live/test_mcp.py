"""MCP servers as a client uses them: over the pipes of a process of their own, and in this process for state."""

import asyncio
import json
import os
import sys

import numpy as np
import pytest
from mcp import Client, StdioServerParameters

from live import mcp
from ml.core.config import render
from ml.core.paths import DataRoot
from ml.feature_store.latest import NewestWriter
from ml.promotion.life import Stage
from ml.storage.durable import write_text
from pipelines.demo import default_config
from tests.support import lives
from tests.support.panels import small_model
from tests.support.scenario import INSTRUMENT


def asking(server, *calls):
    """The results of tool calls, in turn: JSON of those that worked, the text of those that did not."""

    async def run():
        async with Client(server) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            return names, [await client.call_tool(name, arguments) for name, arguments in calls]

    names, results = asyncio.run(run())
    return names, [_read(result) for result in results]


def _read(result):
    if result.is_error:
        return result.content[0].text
    return result.structured_content.get("result", result.structured_content)


def process(root, *words):
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    return StdioServerParameters(command=sys.executable, args=["-m", "cli", "mcp", *words], env=environment)


@pytest.fixture
def root(tmp_path):
    found = DataRoot(tmp_path)
    write_text(found.config, render(default_config()))
    return found


def test_data_over_pipes(ingested):
    """Tables, columns, coverage, gaps and SQL of a stored day; an error is an answer, and the server goes on."""
    count = {"instrument": INSTRUMENT.id, "sql": "select count(*) as n from book_samples"}
    names, (tables, columns, coverage, gaps, refused, counted) = asking(
        process(ingested, "ml-data"),
        ("tables", {}),
        ("columns", {"table": "trades"}),
        ("coverage", {}),
        ("gaps", {}),
        ("query", count | {"sql": "drop table trades"}),
        ("query", count),
    )
    assert names == {"tables", "columns", "coverage", "gaps", "query"}
    stored = {one["table"]: one for one in tables}
    assert stored["trades"]["instruments"] == [INSTRUMENT.id]
    assert "String" in {one["dtype"] for one in columns if one["name"] == "trade_id"}
    assert [day["instrument"] for day in coverage] == [INSTRUMENT.id] * 2
    assert gaps["count"] == gaps["shown"] > 0
    assert "must be one SELECT" in refused
    assert counted["rows"] == [[stored["book_samples"]["rows"]]]


def test_live_state(root):
    """The newest row with its age and reasons; an instrument without one is an error that says what to do."""
    writer = NewestWriter(root, INSTRUMENT.id, ("set", "hash"), ["a", "b"], ["book"])
    writer.put(1_000, 1_001, np.array([1.5, np.nan]), np.array([1], np.uint8))
    names, (listed, row, unknown, health) = asking(
        mcp.signal_monitor(root),
        ("instruments", {}),
        ("features", {"instrument": INSTRUMENT.id}),
        ("features", {"instrument": "sim.OTHER"}),
        ("health", {}),
    )
    assert names == {"instruments", "features", "health"}
    assert (listed[0]["instrument"], listed[0]["ts"], listed[0]["is_fresh"]) == (INSTRUMENT.id, 1_000, False)
    assert listed[0]["null_reasons"] == row["reasons"] != {}
    assert row["values"] == {"a": 1.5, "b": None}
    assert "has no newest row" in unknown
    assert (health["fresh"], health["stale"]) == ([], [INSTRUMENT.id])
    assert {one["champion"] for one in health["serving"].values()} == {None}


def test_a_promotion_is_asked_for_only_where_that_was_allowed_and_takes_the_usual_way(root, monkeypatch):
    monkeypatch.setattr("ml.learning.models.trained.fits", lambda model: None)
    registry = lives.registered(root, [small_model(rows) for rows in (600, 601)])
    reads, (models,) = asking(mcp.model_updater(root), ("models", {}))
    assert "ask_for_promotion" not in reads
    assert [one["version"] for one in models[registry.name]] == ["2", "1"]
    asked = {"version": "2", "why": "more data"}
    server = mcp.model_updater(root, write=True)
    _, (refused,) = asking(server, ("ask_for_promotion", asked))
    assert "gates" in refused
    assert registry.champion() is None
    registry.promote("1", None, "ann", "the first", override=True)
    _, (record, decisions, champion, whole, missing) = asking(
        server,
        ("ask_for_promotion", asked),
        ("decisions", {}),
        ("champion", {}),
        ("decision", {"number": 2}),
        ("decision", {"number": 3}),
    )
    assert registry.life().stage is Stage.SHADOW
    assert champion["champion"] == registry.champion() == models[registry.name][1]["model_id"]
    assert [one["decision"] for one in decisions] == ["promote", "challenge"]
    assert (whole["hash"], whole["reason"]) == (record["hash"], "more data")
    assert "no decision 3" in missing
    json.dumps(whole)
