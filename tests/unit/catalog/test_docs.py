"""The page of the tables is the catalog's."""

from ml.catalog.docs import markdown
from ml.catalog.tables import TABLES
from tests.architecture.sources import PROJECT


def test_the_page_is_current():
    """`make docs` after a change of a spec."""
    assert (PROJECT / "docs" / "tables.md").read_text() == markdown()


def test_every_table_has_its_section_files_and_rules():
    """A reader finds each table by its name, where its files lie and what its values satisfy."""
    page = markdown()
    for name, spec in TABLES.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert "* files: `" in section
        assert all(f"`{rule.name}`" in section for rule in spec.rules)
    assert "`candle_features/month=YYYY-MM/candle_features_<instrument>.parquet`" in page
    assert "`feature_store/offline/training_features/date=YYYY-MM-DD/features_<instrument>.parquet`" in page


def test_no_column_is_lost():
    """Columns that share a line are counted in it."""
    for name, spec in TABLES.items():
        lines = [line for line in markdown().split(f"\n## {name}\n")[1].split("\n## ")[0].splitlines() if "| `" in line]
        assert sum(int(line.split("(")[1].split(")")[0]) if "` ... `" in line else 1 for line in lines) == len(
            spec.columns
        )
