"""The notation of shapes."""

from ml.market.bulk.shapes import (
    BOOK,
    END,
    EVENT,
    INTEGER,
    LAST,
    LEVELS,
    LITERAL,
    NOWHERE,
    PLACE,
    STAMP,
    SYMBOL,
    SYMBOL_END,
    TEXT,
    Shape,
    table,
)


def test_a_shape_is_literals_and_fields():
    """In the order of the text; a text ends at its quote, or at some byte that no quote can be."""
    found = table([Shape("v", BOOK, '{"s":"<symbol>","T":<event>,"u":<last>}'), Shape("v", BOOK, "<text>")])
    assert found.first.tolist() == [0, 8]
    assert found.steps.tolist() == [
        [LITERAL, 0, 6],
        [TEXT, SYMBOL, ord(".")],
        [LITERAL, 6, 6],
        [STAMP, EVENT, 0],
        [LITERAL, 12, 5],
        [INTEGER, LAST, 0],
        [LITERAL, 17, 1],
        [END, 0, 0],
        [TEXT, NOWHERE, ord('"')],
        [END, 0, 0],
    ]
    assert found.literals.tobytes() == b'{"s":"","T":,"u":}'


def test_a_symbol_of_parts_stands_between_two_places_and_levels_may_be_longer():
    """A place takes no bytes; levels of four texts are followed by two that are not kept."""
    found = table([Shape("v", BOOK, '"<from><part>-X<to>",<asks4>')])
    assert found.steps.tolist() == [
        [LITERAL, 0, 1],
        [PLACE, SYMBOL, 0],
        [TEXT, NOWHERE, ord("-")],
        [LITERAL, 1, 2],
        [PLACE, SYMBOL_END, 0],
        [LITERAL, 3, 2],
        [LEVELS, -1, 2],
        [END, 0, 0],
    ]
