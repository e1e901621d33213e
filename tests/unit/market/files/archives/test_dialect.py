"""Messages of archives as events, and documents that only look like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.files.archives.detect import FORMATS
from ml.market.files.archives.dialect import VENUES
from ml.market.venues.dialects import dialect, route

BTC = Instrument("coinbase-spot.BTC-USD", 2, 8, 1, 1)
ROW = "buy,99,1,2018-04-24T03:52:17.202Z"
DOC = {"archive": "gdax-l2update", "symbol": "BTC-USD", "rows": [ROW]}
CONN = "coinbase-spot x.csv"


def test_a_message_is_routed_by_its_connection():
    """The reader put the venue there; the symbol stands in the document."""
    assert route(DOC, CONN) == ("coinbase-spot", "BTC-USD")


@pytest.mark.parametrize(
    ("change", "conn"),
    [
        ({"archive": "nothing"}, CONN),
        ({"archive": ["x"]}, CONN),
        ({"rows": []}, CONN),
        ({"rows": "x"}, CONN),
        ({"rows": [1]}, CONN),
        ({"symbol": None}, CONN),
        ({}, "kraken x.csv"),
        ({}, ""),
    ],
)
def test_what_only_looks_like_one_is_unknown(change, conn):
    """A line of a foreign capture cannot crash the reading."""
    with pytest.raises(FrameError, match=r"unknown_frame|wrong_venue"):
        route(DOC | change, conn)


@pytest.mark.parametrize("venue", [*VENUES, "binance-usdm", "bybit-linear", "okx-swap"])
def test_whatever_the_venue_an_archive_is_read_as_one(venue):
    """The document says so itself."""
    spoken = dialect(venue)
    ((message,), trades) = spoken.parse(DOC, BTC)
    assert (spoken.kind(DOC), trades, message.price, message.size) == ("book", [], [9900], [10**8])
    assert spoken.event_ts(DOC) == message.event_ts == 1_524_541_937_202_000_000
    assert (spoken.outline(DOC)[0].side, message.last_id) == ([], -1)


@pytest.mark.promise("A9")
@given(
    st.sampled_from(sorted(FORMATS)),
    st.lists(st.text(max_size=40), min_size=1, max_size=3),
    st.one_of(st.none(), st.text(max_size=40)),
)
def test_no_row_can_crash_it(form, rows, header):
    """Any text is events or one FrameError."""
    doc = {"archive": form, "symbol": "S", "rows": rows} | ({"columns": header} if header is not None else {})
    for ask in ("event_ts", "outline", "parse"):
        try:
            getattr(dialect("deribit"), ask)(doc, *([BTC] if ask == "parse" else []))
        except FrameError:
            continue


@pytest.mark.promise("A9")
@given(st.data())
def test_no_cell_can_crash_it(data):
    """Rows of the right width with anything in their cells."""
    form = data.draw(st.sampled_from(list(FORMATS.values())))
    cell = st.sampled_from(
        ["", "0", "-1", "1e999", "nan", "buy", "true", "[['a']]", "9" * 400, "2018-01-01", "²", "null"]
    )
    row = ",".join(data.draw(st.lists(cell, min_size=len(form.columns), max_size=len(form.columns))))
    doc = {"archive": form.id, "symbol": "S", "rows": [row]}
    for ask in ("event_ts", "outline", "parse"):
        try:
            getattr(dialect("deribit"), ask)(doc, *([BTC] if ask == "parse" else []))
        except FrameError:
            continue
