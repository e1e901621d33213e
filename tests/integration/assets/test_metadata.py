"""Pictures and tables as metadata."""

import polars as pl

from assets.metadata import picture, table
from ml.core.paths import DataRoot
from ml.plotting.figures import empty, png


def test_a_picture_of_a_partition_is_a_file(tmp_path):
    """The file holds the very bytes; the metadata hold a copy of a few kB and where the file lies."""
    figure, axes = empty(8, 3)
    axes.plot([0, 1], [0, 1])
    drawn = png(figure)
    root = DataRoot(tmp_path)
    shown = picture(root, "book_samples", "2025-03-04|sim.X", drawn).md_str
    path = root.pictures / "book_samples" / "2025-03-04_sim.X.png"
    assert path.read_bytes() == drawn
    assert str(path) in shown
    assert len(shown) < 20_000


def test_a_table_has_a_record_per_row():
    """Columns with their types; floats are short, the rest stands as it is."""
    frame = pl.DataFrame({"gate": ["rows", "ic"], "value": [11_199.0, 0.0123456], "n": [1, None]})
    shown = table(frame)
    assert [dict(record.data) for record in shown.records] == [
        {"gate": "rows", "value": 11_200.0, "n": 1},
        {"gate": "ic", "value": 0.01235, "n": None},
    ]
    assert [(column.name, column.type) for column in shown.schema.columns] == [
        ("gate", "String"),
        ("value", "Float64"),
        ("n", "Int64"),
    ]


def test_an_empty_table_has_its_columns():
    """Nothing to show is no error."""
    assert table(pl.DataFrame(schema={"gate": pl.String})).schema.columns[0].name == "gate"
