"""Address templates: what they give, and which are refused."""

import pytest

from ml.core.errors import SettingsError
from ml.core.sources import Source, demand_safe

VISION = "https://data.binance.vision/data/futures/um/daily/aggTrades/{symbol}/{symbol}-aggTrades-{date}.zip"
TARDIS = "https://datasets.tardis.dev/v1/deribit/trades/{year}/{month}/{day}/{symbol}.csv.gz"
MONTHLY = "https://public.bybit.com/spot/{symbol}/{symbol}-{year}-{month}.csv.gz"


@pytest.mark.parametrize(
    ("template", "address"),
    [
        (
            VISION,
            "https://data.binance.vision/data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2025-03-04.zip",
        ),
        (TARDIS, "https://datasets.tardis.dev/v1/deribit/trades/2025/03/04/BTCUSDT.csv.gz"),
        (MONTHLY, "https://public.bybit.com/spot/BTCUSDT/BTCUSDT-2025-03.csv.gz"),
    ],
)
def test_an_address_and_its_place(template, address):
    """The publisher's folders and name are kept: readers tell the market by them."""
    source = Source("some", template, "any")
    assert source.address("BTCUSDT", "2025-03-04") == address
    assert source.path("BTCUSDT", "2025-03-04") == "some/" + address.split("/", 3)[3]


@pytest.mark.parametrize(
    ("template", "date", "today", "due"),
    [
        (VISION, "2025-03-04", "2025-03-04", False),
        (VISION, "2025-03-04", "2025-03-05", True),
        (MONTHLY, "2025-03-04", "2025-03-31", False),
        (MONTHLY, "2025-03-31", "2025-04-01", True),
    ],
)
def test_a_file_is_due_when_its_time_is_over(template, date, today, due):
    """A month's file is complete after the month."""
    assert Source("some", template, "any").due(date, today) == due


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://data.binance.vision/{symbol}-{date}.zip", "not https"),
        ("ftp://127.0.0.1/{date}.zip", "not https"),
        ("http://127.0.0.1.evil.com/{date}.zip", "not https"),
        ("http://localhost@evil.com/{date}.zip", "not https"),
        ("https://me:secret@host/{date}.zip", "with a user"),
        ("https://host/{date}.zip?key=1", "in a file path"),
        ("https://host/../{date}.zip", "in a file path"),
        ("https://host/{date}/", "in a file path"),
        ("https://host/{symbol}.zip", "contains no date"),
        ("https://host/{month}.zip", "contains no date"),
        ("https://host/{days}.zip", "{days} is unknown"),
        ("https://host/{date", "not a template"),
    ],
)
def test_what_is_no_safe_address_of_a_dated_file_is_refused(url, why):
    """When lobforge.toml is read, before anything is asked; a password is not repeated."""
    with pytest.raises(SettingsError, match=why) as error:
        Source("some", url, "any")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("field", "value"), [("name", "a/b"), ("name", ""), ("retry_hours", -1.0)])
def test_other_fields_without_sense_are_refused(field, value):
    """A name is a folder, a time is not negative."""
    with pytest.raises(SettingsError):
        Source(**({"name": "some", "url": VISION, "venue": "any"} | {field: value}))


@pytest.mark.parametrize("url", ["https://host/x", "http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]:8/x"])
def test_https_and_this_machine_may_be_asked(url):
    """A mirror of one's own needs no certificate."""
    demand_safe(url)


def test_a_file_keeps_the_symbol_as_the_venue_writes_it():
    """Escapes belong to the address alone."""
    source = Source("some", "https://host/a%20b/{symbol}/{symbol}-{date}.zip", "any")
    assert source.address("币安人生USDT", "2025-10-20").isascii()
    assert source.path("币安人生USDT", "2025-10-20") == "some/a b/币安人生USDT/币安人生USDT-2025-10-20.zip"
    assert source.path("1000PEPE%USDT", "2025-10-20") == "some/a b/1000PEPE%USDT/1000PEPE%USDT-2025-10-20.zip"


@pytest.mark.parametrize("symbol", ["../../x", "..", "a/b", "a\0b"])
def test_a_symbol_does_not_lead_elsewhere(symbol):
    """Whatever an instrument is called, its file lies below the source's folder."""
    source = Source("some", "https://host/{symbol}/{date}.zip", "any")
    with pytest.raises(SettingsError, match="Source some"):
        source.path(symbol, "2025-03-04")
