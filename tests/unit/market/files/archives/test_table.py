"""CSV archives as such: cells, headers, columns."""

import csv
import io
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.market.files.archives.table import TRADE, File, Format, split


class One(Format):
    """A row is a message."""

    id = "one"
    kind = TRADE
    columns = ("t", "x")
    optional = ("y",)
    spelt = MappingProxyType({"time": "t"})

    def event_ts(self, row):
        return int(row["t"])

    def place(self, row, file):
        return "sim", "S"


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1, max_size=6))
def test_cells_are_those_of_the_csv_module(cells):
    """Whatever its writer quotes; an independent reader gives the same."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    expected = next(csv.reader([text.getvalue()]), [])
    assert split(text.getvalue()) == (expected or [""])


@pytest.mark.parametrize("line", ['a,"b', 'a"b', '"a"b,c', '"'])
def test_a_quote_that_does_not_close_is_refused(line):
    """Cells are never guessed."""
    with pytest.raises(ValueError, match="quote"):
        split(line)


@pytest.mark.parametrize(
    ("names", "fits"),
    [(("t", "x"), True), (("x", "y", "t"), True), (("t",), False), (("t", "x", "z"), False), (("t", "x", "x"), False)],
)
def test_a_header_fits_with_all_columns_and_no_unknown_one(names, fits):
    """In any order."""
    assert One().fits(names) is fits


def test_other_spellings_are_the_same_column():
    """Archives rename them over the years."""
    assert One().names("time, x") == ("t", "x")


def test_a_plain_format_says_what_it_lacks():
    """No name, no snapshot, no ids, no send time."""
    form = One()
    row = {}
    assert (form.file(None, ()), form.type(row), form.send_ts(row), tuple(form.ids(row))) == (
        File(),
        "",
        0,
        (-1, -1, -1),
    )
