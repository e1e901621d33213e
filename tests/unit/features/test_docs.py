"""The page for readers is the table's."""

from ml.features.candle.table import UNIFIED
from ml.features.docs import as_dicts, markdown
from ml.features.legacy.table import LEGACY_110, LEGACY_112, LEGACY_SETS
from ml.features.sets import ALL, SETS
from ml.features.tick.table import FAMILIES
from tests.architecture.sources import PROJECT


def test_the_documentation_is_current():
    """`lobforge features list --markdown > docs/features.md` after a change of the table."""
    assert (PROJECT / "docs" / "features.md").read_text() == markdown()


def test_every_feature_stands_once_with_all_its_cells():
    """A bar within a formula must not begin a cell."""
    lines = [line for line in markdown().splitlines() if line.startswith("| `") and line.count(" | ") == 6]
    assert [line.split("`")[1] for line in lines] == [feature.id for feature in ALL]
    assert all(f"## {title}" in markdown() for title in ("Book shape (26)", "Order flow (32)", "Trades (21)"))
    assert len(FAMILIES) + 2 == markdown().count("\n## ")


def test_the_predecessors_columns_stand_in_their_order():
    """All of the longer arrays with their position, then those that are otherwise in the shorter ones."""
    _, longer, shorter = markdown().replace("## The", "Arrays of 110").split("Arrays of 110")
    for text, chosen in ((longer, LEGACY_112), (shorter, LEGACY_110)):
        lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "`" in line]
        assert all(chosen.columns[int(cells[0][2:])] == cells[1].strip("`") for cells in lines)
        assert len(lines) == (112 if chosen is LEGACY_112 else 14)
    assert "| null: a running sum from the start of a process that nobody knows |" in longer


def test_sets_tell_all_that_their_hash_covers():
    """Each field of a feature, and its dtype."""
    *sets, _ = as_dicts()
    for told, chosen in zip(sets, [*SETS.values(), *LEGACY_SETS.values()], strict=True):
        assert (told["name"], told["hash"]) == (chosen.name, chosen.hash)
        fields = {"id", "family", "formula", "unit", "look_back", "needs", "undefined", "source", "trades", "dtype"}
        fields |= {"fault", "absent"} if chosen.name in LEGACY_SETS else set()
        assert all(set(column) == fields for column in told["columns"])


def test_the_candle_set_is_told_in_the_same_words():
    """Its needs are candles of a quarter of an hour, and are told in seconds like all others."""
    *_, told = as_dicts()
    assert (told["name"], told["hash"]) == (UNIFIED.name, UNIFIED.hash)
    assert [column["id"] for column in told["columns"]] == UNIFIED.names
    assert [column["needs"] for column in told["columns"]] == [column.needs * 900 for column in UNIFIED.columns]
