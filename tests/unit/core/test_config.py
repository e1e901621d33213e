"""lobforge.toml."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ml.core import config
from ml.core.config import BacktestPlan, Config, LabelPlan
from ml.core.errors import InstrumentError, SettingsError
from ml.core.instruments import Instrument
from ml.core.sources import Source
from ml.storage.durable import write_text

BTC = Instrument("binance-usdm.BTCUSDT", 1, 3, 1, 1)


def configuration(root, **fields):
    wanted = Config(root.root / "x", date(2025, 1, 1), date(2025, 1, 3), (BTC,))
    write_text(root.config, config.render(wanted) + "".join(f"{k}\n" for k in fields.get("more", ())))
    return wanted


def test_what_is_rendered_is_read_back(root):
    """The file and the object say the same."""
    wanted = configuration(root)
    assert config.load(root) == wanted


@pytest.mark.parametrize(
    "symbol", ["币安人生USDT", "BTC-USD", "BTCUSD_PERP", 'a"b', "a\\b", "BTC-26MAR21-50000-C", "'1'"]
)
def test_any_symbol_is_read_back(root, symbol):
    """And any folder; the file is UTF-8 whatever the machine's language."""
    wanted = Config(root.root / f"{symbol} captures", date(2025, 1, 1), None, (replace(BTC, id=f"sim.{symbol}"),))
    write_text(root.config, config.render(wanted))
    assert config.load(root) == wanted
    root.config.write_bytes(b"\xef\xbb\xbf" + root.config.read_bytes())
    assert config.load(root) == wanted


SOURCE = Source("vision", "https://data.binance.vision/{symbol}-{date}.zip", "binance-usdm", ".CHECKSUM", 12.0)


def test_sources_are_read_back(root):
    """With their own times to retry; a file without any has none."""
    assert configuration(root).sources == ()
    wanted = Config(root.root / "x", date(2025, 1, 1), None, (BTC,), (SOURCE, replace(SOURCE, name="other")))
    write_text(root.config, config.render(wanted))
    assert config.load(root) == wanted


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            2 * config.render(Config(Path("x"), date(2025, 1, 1), None, (), (SOURCE,))).partition("\n\n")[2],
            "two sources",
        ),
        ('[[source]]\nname = "a"\n', r"url of source a is missing"),
        ('[[source]]\nname = "a"\nurl = "http://host/{date}"\nvenue = "b"\n', "not https"),
        (
            '[[source]]\nname = "a"\nurl = "https://host/{date}"\nvenue = "b"\nuser = "c"\n',
            r"user of source a is unknown",
        ),
    ],
)
def test_a_source_without_sense_is_refused(root, lines, why):
    """Two of one name, one without an address, one that is not safe, a key that nobody knows."""
    write_text(root.config, "first_date = 2025-01-01\n" + lines)
    with pytest.raises(SettingsError, match=why):
        config.load(root)


def test_an_unlisted_instrument_comes_with_the_lines_to_add(root):
    """The error can be pasted into the file."""
    configuration(root)
    with pytest.raises(InstrumentError, match=r'\[\[instrument\]\]\nid = "sim.X"'):
        config.load(root).instrument("sim.X")


@pytest.mark.parametrize(
    "text", ["first_date = ", "captures = 'x'\n", "first_date = 2025-01-01\n[[instrument]]\nid = 'a.B'\n"]
)
def test_a_broken_file_is_refused(root, text):
    """Not TOML, without a first date, or an instrument without its numbers."""
    write_text(root.config, text)
    with pytest.raises(SettingsError, match=r"lobforge\.toml"):
        config.load(root)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("first_dat = 2025-01-01\n", "first_date is missing"),
        ("first_date = 2025-01-01\nlast = 2025-01-02\n", "last is unknown: did you mean last_date?"),
        ("first_date = 2025-01-01\nnonsense = 1\n", "nonsense is unknown: known are first_date"),
        ('first_date = "2025-01-01"\n', "first_date is '2025-01-01': Input should be a valid date"),
        (
            "first_date = 2025-01-01\n[labels]\ntaker_fees = 1\n",
            "taker_fees of labels is unknown: did you mean taker_fee?",
        ),
        (
            "first_date = 2025-01-01\n[labels]\nlatency = 0.5\n",
            "latency of labels is 0.5: Input should be a valid integer",
        ),
        (
            'first_date = 2025-01-01\n[[instrument]]\nid = "a.B"\nprice_decimals = "2"\n',
            "price_decimals of instrument a.B is '2': Input should be a valid integer",
        ),
        ("first_date = 2025-01-01\nfirst_date = 2025-01-01\n", "line 2"),
    ],
)
def test_a_wrong_key_is_named(root, lines, told):
    """Which one, what it is and what is allowed; of a text that is not TOML the line."""
    write_text(root.config, lines)
    with pytest.raises(SettingsError) as error:
        config.load(root)
    assert told in str(error.value)
    assert str(error.value).endswith("Correct the file; `lobforge doctor` checks it.")


def test_a_missing_file_names_the_command_that_makes_it(root):
    """A fresh data root is not an exception to explain."""
    with pytest.raises(SettingsError, match="lobforge init"):
        config.load(root)


FINER = replace(BTC, price_decimals=2, valid_from=date(2025, 1, 2))


def test_an_instrument_changes_on_a_date(root):
    """Its key stays one; days before the change keep their decimals."""
    wanted = Config(root.root, date(2025, 1, 1), date(2025, 1, 3), (BTC, replace(BTC, id="sim.X"), FINER))
    write_text(root.config, config.render(wanted))
    loaded = config.load(root)
    assert (loaded, loaded.ids) == (wanted, [BTC.id, "sim.X"])
    assert [loaded.instrument(BTC.id, f"2025-01-0{n}").price_decimals for n in (1, 2, 3)] == [1, 2, 2]
    assert loaded.instrument(BTC.id) == FINER


def test_a_date_outside_every_entry_is_told(root):
    """Before the first one, and between two."""
    last = replace(BTC, valid_to=date(2025, 1, 1))
    later = replace(FINER, valid_from=date(2025, 1, 3))
    write_text(root.config, config.render(Config(root.root, date(2025, 1, 1), None, (last, later))))
    loaded = config.load(root)
    assert loaded.instrument(BTC.id, "2025-01-03") == later
    with pytest.raises(InstrumentError, match="not listed for 2025-01-02"):
        loaded.instrument(BTC.id, "2025-01-02")
    write_text(root.config, config.render(Config(root.root, date(2025, 1, 1), None, (later,))))
    with pytest.raises(InstrumentError, match="not listed for 2025-01-02"):
        config.load(root).instrument(BTC.id, "2025-01-02")


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (BTC, BTC, "twice for all dates"),
        (FINER, FINER, "twice for 2025-01-02"),
        (replace(BTC, valid_to=date(2025, 1, 2)), FINER, "twice for 2025-01-02"),
        (replace(BTC, price_decimals=3), FINER, "fewer decimals"),
        (replace(BTC, size_decimals=4), FINER, "fewer decimals"),
    ],
)
def test_entries_that_contradict_each_other_are_refused(root, first, second, why):
    """One date, one truth; and days of both can be put together exactly."""
    write_text(root.config, config.render(Config(root.root, date(2025, 1, 1), None, (second, first))))
    with pytest.raises(InstrumentError, match=why):
        config.load(root)


@pytest.mark.parametrize("value", ['"2025-01-02"', "2025-01-02T00:00:00Z", "20250102"])
def test_an_entry_begins_on_a_date(root, value):
    """Neither text nor a time of day."""
    text = config.render(Config(root.root, date(2025, 1, 1), None, (FINER,)))
    write_text(root.config, text.replace("valid_from = 2025-01-02", f"valid_from = {value}"))
    with pytest.raises(SettingsError, match=r"valid_from of instrument binance-usdm.BTCUSDT is .*valid date"):
        config.load(root)


def test_an_entry_does_not_end_before_it_begins():
    """A slip that would make it hold for no date."""
    with pytest.raises(InstrumentError, match="before valid_from"):
        replace(BTC, valid_from=date(2025, 1, 2), valid_to=date(2025, 1, 1))


def test_an_instrument_listed_twice_is_refused(root):
    """Two lines with other decimals would make two truths."""
    wanted = Config(root.root, date(2025, 1, 1), None, (BTC, BTC))
    write_text(root.config, config.render(wanted))
    with pytest.raises(InstrumentError, match="twice"):
        config.load(root)


def test_dates_between_are_the_listed_ones():
    """An interval of time that reaches beyond the listed dates is cut to them."""
    wanted = Config(Path(), date(2025, 1, 1), date(2025, 1, 3), ())
    day = 86_400 * 10**9
    start = 20_089 * day  # 2025-01-01
    assert wanted.between(start - day, start + day) == ["2025-01-01", "2025-01-02"]
    assert wanted.between(start + 2 * day, start + 9 * day) == ["2025-01-03"]


def test_a_label_plan_is_read_back(root):
    """Horizons and costs, where they are not the defaults."""
    plan = LabelPlan((10, 30, 60, 180, 300), 0.0002, 2)
    wanted = replace(configuration(root), labels=plan)
    write_text(root.config, config.render(wanted))
    assert config.load(root).labels == plan


def test_a_backtest_plan_is_read_back(root):
    """Latency and the maker's fee, which may be a rebate."""
    wanted = replace(configuration(root), backtest=BacktestPlan(50.0, -0.0001))
    write_text(root.config, config.render(wanted))
    assert config.load(root).backtest == wanted.backtest


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"latency_ms": 500.0}, "below 500"), ({"latency_ms": -1.0}, "from 0"), ({"maker_fee": 2.0}, "between -0.1 and")],
)
def test_a_backtest_plan_without_sense_is_refused(fields, told):
    """What is wrong, and what is allowed."""
    with pytest.raises(SettingsError, match=told):
        BacktestPlan(**fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"horizons": (30, 60)}, "including 10"),
        ({"horizons": (10, 10)}, "ascending"),
        ({"horizons": (10, 5_000)}, "up to 3600"),
        ({"latency": 10}, "seconds below 10"),
        ({"taker_fee": 5}, "fraction below"),
    ],
)
def test_a_plan_without_sense_is_refused(fields, told):
    """What is wrong, and what is allowed."""
    with pytest.raises(SettingsError, match=told):
        LabelPlan(**fields)


def test_any_path_is_read_back(root):
    """Quotes and backslashes too."""
    wanted = Config(Path('/x "y"/\\z [1]#é'), date(2025, 1, 1), None, ())
    write_text(root.config, config.render(wanted))
    assert config.load(root).captures == wanted.captures
