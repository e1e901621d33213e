"""Pictures and tables as metadata."""

import base64

import polars as pl

from assets.metadata import image, table


def test_a_picture_reads_back():
    """The Markdown carries the very bytes."""
    shown = image(b"\x89PNG any bytes").md_str
    assert shown.startswith("![")
    assert base64.b64decode(shown.rsplit("base64,")[1].rstrip(")")) == b"\x89PNG any bytes"


def test_a_table_has_a_line_a_row():
    """Header, rule, rows; floats are short, the rest stands as it is."""
    frame = pl.DataFrame({"gate": ["rows", "ic"], "value": [11_199.0, 0.0123456], "n": [1, None]})
    assert table(frame).md_str.splitlines() == [
        "| gate | value | n |",
        "| --- | --- | --- |",
        "| rows | 1.12e+04 | 1 |",
        "| ic | 0.01235 | None |",
    ]
