"""`lobforge.toml` in the data root: instruments and dates, the captures folder, archives to fetch.

This module reads and writes that file. It is append-only: partitions of removed keys could no longer be addressed.
Settings of a process belong to `ml.core.settings`.
"""

import json
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ml.core.errors import InstrumentError, SettingsError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.sources import Source
from ml.core.time import date_of

LONGEST = 3_600
HORIZONS = (10, 30, 60)
"""Label horizons in seconds, unless `lobforge.toml` lists others; the first is the primary one."""


@dataclass(frozen=True)
class LabelPlan:
    """Which labels are made, and what a trade costs in those after costs.

    Args:
        horizons: seconds, ascending; the primary one (10 s) is always among them.
        taker_fee: fraction of the notional, for each of entry and exit.
        latency: whole seconds from a decision to its entry, shorter than the shortest horizon.

    Raises:
        SettingsError: one of them is invalid.
    """

    horizons: tuple[int, ...] = HORIZONS
    taker_fee: float = 0.0005
    latency: int = 1

    def __post_init__(self) -> None:
        wanted = self.horizons
        primary = HORIZONS[0]
        ascending = list(wanted) == sorted(set(wanted))
        if primary not in wanted or not ascending or not 0 < wanted[0] <= wanted[-1] <= LONGEST:
            raise SettingsError(
                f"labels.horizons is {list(wanted)}. List seconds up to {LONGEST}, ascending, including {primary}."
            )
        if not (0 <= self.taker_fee < 0.1 and 0 <= self.latency < wanted[0]):
            raise SettingsError(
                f"labels.taker_fee {self.taker_fee} or labels.latency {self.latency} is invalid. "
                f"Give a fraction below 0.1, and seconds below {wanted[0]}."
            )


@dataclass(frozen=True)
class Config:
    """Instruments, the first and last UTC date, the folder of captures, and the archives that may be fetched.

    `last_date` is None where the capture goes on. An instrument may have several entries in `instruments`, each for the
    dates from its `valid_from` on: a venue that makes its tick finer changes nothing about the days before.
    """

    captures: Path
    first_date: date
    last_date: date | None
    instruments: tuple[Instrument, ...]
    sources: tuple[Source, ...] = ()
    labels: LabelPlan = LabelPlan()

    @property
    def ids(self) -> list[str]:
        """The ids of the instruments, each once, in the order of the file."""
        return list(dict.fromkeys(instrument.id for instrument in self.instruments))

    def instrument(self, instrument_id: str, date: str | None = None) -> Instrument:
        """The instrument of that id as it is on a UTC date (YYYY-MM-DD); the latest entry without one.

        Raises:
            InstrumentError: not listed, or not for that date; the message holds what to add.
        """
        entries = sorted((one for one in self.instruments if one.id == instrument_id), key=_begin)
        if not entries:
            raise InstrumentError(
                f"Instrument {instrument_id} is not listed. Add to lobforge.toml, with its real decimals and tick:\n"
                + instrument_lines(Instrument(instrument_id, price_decimals=2, size_decimals=3, tick=1, lot=1))
            )
        if date is None:
            return entries[-1]
        begun = [one for one in entries if _begin(one).isoformat() <= date]
        if not begun or (begun[-1].valid_to and begun[-1].valid_to.isoformat() < date):
            raise InstrumentError(
                f"Instrument {instrument_id} is not listed for {date}. Add an [[instrument]] to lobforge.toml whose "
                "valid_from and valid_to include that date."
            )
        return begun[-1]

    def between(self, first_ts: int, last_ts: int) -> list[str]:
        """The listed UTC dates (YYYY-MM-DD) that an interval of time touches; ns."""
        first = max(_date(first_ts), self.first_date)
        last = _date(last_ts) if self.last_date is None else min(_date(last_ts), self.last_date)
        return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def load(root: DataRoot) -> Config:
    """Read the configuration.

    Raises:
        SettingsError: the file is missing, is not TOML, lacks a key, or a source is invalid or another's name.
        InstrumentError: an instrument is listed twice.
    """
    if not root.config.exists():
        raise SettingsError(f"{root.config} is missing. Run `lobforge init`.")
    try:
        document = tomllib.loads(root.config.read_text(encoding="utf-8-sig"))
        instruments = tuple(Instrument(**entry) for entry in document.get("instrument", []))
        captures = Path(document.get("captures", "captures"))
        config = Config(
            captures=captures if captures.is_absolute() else root.root / captures,
            first_date=document["first_date"],
            last_date=document.get("last_date"),
            instruments=instruments,
            sources=tuple(Source(**entry) for entry in document.get("source", [])),
            labels=_plan(document.get("labels", {})),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{root.config} cannot be read: {error}. Correct the file; `lobforge doctor` checks it."
        ) from error
    _demand_apart(root, instruments)
    named = [source.name for source in config.sources]
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        raise SettingsError(f"{root.config} has two sources named {twice[0]}. Rename one: each name is a folder.")
    return config


def _demand_apart(root: DataRoot, instruments: tuple[Instrument, ...]) -> None:
    """Have each date of an instrument belong to one entry; an entry without `valid_to` ends where the next begins."""
    before: dict[str, Instrument] = {}
    for instrument in sorted(instruments, key=_begin):
        last = before.get(instrument.id)
        begin = _begin(instrument)
        before[instrument.id] = instrument
        if last is None:
            continue
        if begin == _begin(last) or (last.valid_to or date.min) >= begin:
            raise InstrumentError(
                f"{root.config} lists {instrument.id} twice for {instrument.valid_from or 'all dates'}. Give the entry "
                "of the later dates its first date as valid_from, or remove one of the two."
            )
        if any(old > new for old, new in zip(last.decimals, instrument.decimals, strict=True)):
            raise InstrumentError(
                f"{root.config}: the entry of {instrument.id} from {begin} on has fewer decimals than the one before, "
                "so days of both could not be joined exactly. Keep the number of decimals and set a larger tick."
            )


def _begin(instrument: Instrument) -> date:
    return instrument.valid_from or date.min


def _plan(table: dict[str, Any]) -> LabelPlan:
    given = dict(table)
    if "horizons" in given:
        given["horizons"] = tuple(given["horizons"])
    return LabelPlan(**given)


def render(config: Config) -> str:
    """The text of `lobforge.toml` for a configuration."""
    lines = [
        "# Instruments and dates are partition keys: append, never remove or change them.",
        f"captures = {_toml(str(config.captures))}",
        f"first_date = {config.first_date.isoformat()}",
    ]
    if config.last_date is not None:
        lines.append(f"last_date = {config.last_date.isoformat()}")
    if config.labels != LabelPlan():
        lines += ["", "[labels]", *(f"{name} = {_toml(value)}" for name, value in vars(config.labels).items())]
    tables = [*map(_source_lines, config.sources), *map(instrument_lines, config.instruments)]
    return "\n".join(lines) + "\n" + "".join("\n" + table for table in tables)


def instrument_lines(instrument: Instrument) -> str:
    """The TOML lines of one instrument; tick and lot count units of 10^-decimals."""
    return (
        "[[instrument]]\n"
        f"id = {_toml(instrument.id)}\n"
        f"price_decimals = {instrument.price_decimals}\n"
        f"size_decimals = {instrument.size_decimals}\n"
        f"tick = {instrument.tick}\n"
        f"lot = {instrument.lot}\n"
        f"contract_size = {instrument.contract_size}\n"
        f"stale_after = {instrument.stale_after}\n"
    ) + "".join(f"{name} = {_toml(value)}\n" for name, value in _dated(instrument).items() if value)


def _dated(instrument: Instrument) -> dict[str, date | None]:
    return {"valid_from": instrument.valid_from, "valid_to": instrument.valid_to}


def _source_lines(source: Source) -> str:
    return "[[source]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in vars(source).items())


def _toml(value: object) -> str:
    """A number, text, date or list as TOML writes it, which escapes text as JSON does."""
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _date(ts: int) -> date:
    return date.fromisoformat(date_of(ts))
