"""`lobforge gaps`: return codes, the JSON contract and what people see."""

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from ml.core.time import DAY_NS as DAY
from ml.core.time import SECOND
from ml.market.gaps import NOT_STORED
from ml.storage import parquet
from ml.storage.commit import publish
from ml.tables.schemas import END_REASONS, SCHEMAS
from tests.support.command import lobforge

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "gaps.json").read_text())
T0 = 1_741_046_400 * SECOND
"""2025-03-04 00:00 UTC."""


@pytest.fixture
def stored(root, monkeypatch):
    """Two days of one instrument with a gap of 30.5 s in the first, one day of another without."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    gap = [
        (T0, T0 + 600 * SECOND, 0, 1, 77, 99, "sequence_gap"),
        (T0 + 6305 * SECOND // 10, T0 + DAY, 2, 3, None, None, None),
    ]
    whole = [(T0, T0 + DAY, 0, 9, None, None, None)]
    after = [(T0 + DAY, T0 + DAY + 3_600 * SECOND, 0, 9, 123, None, "capture_end")]
    for date, name, rows in (("04", "sim.A", gap), ("05", "sim.A", after), ("04", "sim.B", whole)):
        frame = pl.DataFrame(rows, schema=SCHEMAS["validity"], orient="row")
        publish(root, "validity", root.partition("validity", f"2025-03-{date}", name), frame, "v")
    return root


def run(capsys, *arguments):
    """Return code and the one JSON object, checked against its schema."""
    code = lobforge("gaps", *arguments, "--json")
    ledger = json.loads(capsys.readouterr().out)
    jsonschema.validate(ledger, SCHEMA)
    return code, ledger


def test_all_days_and_gaps_are_told(stored, capsys):
    """Share of each day, and each gap with ids and reason; having gaps is no failure."""
    code, ledger = run(capsys)
    shares = {(day["date"], day["instrument"]): day["share"] for day in ledger["days"]}
    assert code == 0
    assert shares["2025-03-04", "sim.B"] == 1
    assert shares["2025-03-04", "sim.A"] == pytest.approx(1 - 30.5 / 86_400)
    assert shares["2025-03-05", "sim.A"] == pytest.approx(1 / 24)
    gap, end = ledger["gaps"]
    assert (gap["seconds"], gap["from_id"], gap["to_id"], gap["reason"]) == (30.5, 77, 99, "sequence_gap")
    assert (end["end"], end["seconds"], end["from_id"], end["reason"]) == (None, None, 123, "capture_end")


@pytest.mark.parametrize(
    ("arguments", "days", "gaps"),
    [
        (["--instrument", "sim.B"], 1, 0),
        (["--from", "2025-03-05"], 1, 1),
        (["--to", "2025-03-04"], 2, 1),
        (["--from", "2025-03-04", "--to", "2025-03-05", "--instrument", "sim.A"], 2, 2),
        (["--from", "2026-01-01"], 0, 1),
    ],
)
def test_dates_and_instrument_choose(stored, capsys, arguments, days, gaps):
    """Both dates are included; a gap that is still open touches every later date."""
    code, ledger = run(capsys, *arguments)
    assert (code, len(ledger["days"]), len(ledger["gaps"])) == (0, days, gaps)


@pytest.mark.parametrize("group", [2, 3, 100])
def test_losses_beside_the_books_are_told_with_their_bounds(stored, capsys, monkeypatch, group):
    """From the last frame of that connection to the next, whatever the groups of rows; with books a loss is a gap."""
    monkeypatch.setattr(parquet, "RAW_GROUP", group)
    books = "sim ws://x/books"
    candles = "sim ws://x/candles"
    noted = '{"loss":"%s","symbol":"A"%s}'
    rows = [
        (0, books, T0, "ws", b"{}"),
        (1, candles, T0 + SECOND, "ws", b"{}"),
        (2, books, T0 + 2 * SECOND, "ws", b"{}"),
        (3, candles, T0 + 3 * SECOND, "loss", (noted % ("silent", ',"books":false')).encode()),
        (4, books, T0 + 4 * SECOND, "loss", (noted % ("overflow", "")).encode()),
        (5, candles, T0 + 5 * SECOND, "ws", b"{}"),
        (6, candles, T0 + 6 * SECOND, "loss", (noted % ("reconnect", ',"books":false')).encode()),
    ]
    frame = pl.DataFrame([(*row, "", 0) for row in rows], schema=SCHEMAS["raw_frames"], orient="row")
    publish(stored, "raw_frames", stored.partition("raw_frames", "2025-03-04", "sim.A"), frame, "v")
    found = run(capsys)[1]["beside"]
    assert [(one["conn"], one["start"] - T0, one["end"] and one["end"] - T0, one["reason"]) for one in found] == [
        (candles, SECOND, 5 * SECOND, "silent"),
        (candles, 5 * SECOND, None, "reconnect"),
    ]
    assert run(capsys, "--instrument", "sim.B")[1]["beside"] == []
    assert lobforge("gaps") == 0
    assert "lost beside the books" in capsys.readouterr().out


def test_times_without_trades_are_told_beside_those_without_a_book(stored, capsys):
    """How long trades were known, and why not; a day without the table has no number."""
    known = [
        (T0 + 60 * SECOND, T0 + 600 * SECOND, 0, 1, 7, 8, "reconnect"),
        (T0 + 660 * SECOND, T0 + DAY, 2, 3, None, None, None),
    ]
    never = [(T0 + DAY, T0 + DAY, -1, -1, None, None, "no_trades_captured")]
    for date, rows in (("04", known), ("05", never)):
        frame = pl.DataFrame(rows, schema=SCHEMAS["trade_validity"], orient="row")
        publish(stored, "trade_validity", stored.partition("trade_validity", f"2025-03-{date}", "sim.A"), frame, "v")
    ledger = run(capsys)[1]
    seconds = {(day["date"], day["instrument"]): day["trades_known_seconds"] for day in ledger["days"]}
    assert seconds == {("2025-03-04", "sim.A"): 86_280, ("2025-03-04", "sim.B"): None, ("2025-03-05", "sim.A"): 0}
    assert [(gap["start"] - T0, gap["end"] and gap["end"] - T0, gap["reason"]) for gap in ledger["trades"]] == [
        (600 * SECOND, 660 * SECOND, "reconnect"),
        (DAY, None, "no_trades_captured"),
    ]
    assert len(run(capsys, "--to", "2025-03-04")[1]["trades"]) == 1
    assert lobforge("gaps") == 0
    shown = capsys.readouterr().out
    assert "trades not captured" in shown
    assert "86280.0" in shown


def test_people_see_two_tables(stored, capsys):
    """Times as times, shares in percent."""
    assert lobforge("gaps") == 0
    shown = capsys.readouterr().out
    for word in ("99.96%", "2025-03-04 00:10:00.000", "2025-03-04 00:10:30.500", "30.500", "still unknown"):
        assert word in shown
    assert "None" not in shown


def test_nothing_stored_is_two(stored, capsys):
    """Of an instrument that was never captured, and of a date that is none."""
    code, answer = run(capsys, "--instrument", "sim.C")
    assert (code, answer["error"]) == (2, "StoreError")
    assert lobforge("gaps", "--from", "yesterday") == 2
    assert "'yesterday' is not a date. Write it like 2025-03-03." in " ".join(capsys.readouterr().err.split())


def test_the_schema_knows_every_reason():
    """A reason that is added to validity is added here."""
    assert SCHEMA["$defs"]["gap"]["properties"]["reason"]["enum"] == [*END_REASONS, NOT_STORED]
