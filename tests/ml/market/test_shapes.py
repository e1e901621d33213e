"""The notation of shapes."""

from ml.market.shapes import BOOK, END, EVENT, INTEGER, LAST, LITERAL, STAMP, SYMBOL, TEXT, Shape, table


def test_a_shape_is_literals_and_fields():
    """In the order of the text; a text may have to be without some byte."""
    found = table([Shape("v", BOOK, '{"s":"<symbol>","T":<event>,"u":<last>}'), Shape("v", BOOK, "<text>")])
    assert found.first.tolist() == [0, 8]
    assert found.steps.tolist() == [
        [LITERAL, 0, 6], [TEXT, SYMBOL, ord(".")], [LITERAL, 6, 6], [STAMP, EVENT, 0], [LITERAL, 12, 5],
        [INTEGER, LAST, 0], [LITERAL, 17, 1], [END, 0, 0], [TEXT, found.steps[8, 1], 0], [END, 0, 0],
    ]  # fmt: skip
    assert found.literals.tobytes() == b'{"s":"","T":,"u":}'
