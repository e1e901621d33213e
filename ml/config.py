"""`lobforge.toml` in the data root: instruments and dates, where captures lie, where archives are fetched from.

Here: reading and writing that file. It is append-only: partitions of removed keys could no longer be addressed.
Not here: settings of a process (`ml.settings`).
"""

import json
import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ml.dates import date_of
from ml.errors import InstrumentError, SettingsError
from ml.instruments import Instrument
from ml.paths import DataRoot
from ml.schemas import HORIZONS
from ml.sources import Source

LONGEST = 3_600


@dataclass(frozen=True)
class LabelPlan:
    """Which labels are made, and what a trade costs in those after costs.

    Args:
        horizons: seconds, ascending; the primary one (10 s) is always among them.
        taker_fee: fraction of the notional, for each of entry and exit.
        latency: whole seconds from a decision to its entry, shorter than the shortest horizon.

    Raises:
        SettingsError: one of them has no sense.
    """

    horizons: tuple[int, ...] = HORIZONS
    taker_fee: float = 0.0005
    latency: int = 1

    def __post_init__(self) -> None:
        wanted, primary = self.horizons, HORIZONS[0]
        ascending = list(wanted) == sorted(set(wanted))
        if primary not in wanted or not ascending or not 0 < wanted[0] <= wanted[-1] <= LONGEST:
            raise SettingsError(
                f"labels.horizons is {list(wanted)}. List seconds up to {LONGEST}, ascending, {primary} among them."
            )
        if not (0 <= self.taker_fee < 0.1 and 0 <= self.latency < wanted[0]):
            raise SettingsError(
                f"labels.taker_fee {self.taker_fee} or labels.latency {self.latency} has no sense. "
                f"Give a fraction below 0.1, and seconds below {wanted[0]}."
            )


@dataclass(frozen=True)
class Config:
    """Instruments, the first and last UTC date, the folder of captures, and the archives that may be fetched.

    `last_date` is None where the capture goes on.
    """

    captures: Path
    first_date: date
    last_date: date | None
    instruments: tuple[Instrument, ...]
    sources: tuple[Source, ...] = ()
    labels: LabelPlan = LabelPlan()

    def instrument(self, instrument_id: str) -> Instrument:
        """The instrument of that id.

        Raises:
            InstrumentError: not listed; the message holds the lines to add.
        """
        for instrument in self.instruments:
            if instrument.id == instrument_id:
                return instrument
        raise InstrumentError(
            f"Instrument {instrument_id} is not listed. Add to lobforge.toml, with its real decimals and tick:\n"
            + instrument_lines(Instrument(instrument_id, price_decimals=2, size_decimals=3, tick=1, lot=1))
        )

    def between(self, first_ts: int, last_ts: int) -> list[str]:
        """The listed UTC dates (YYYY-MM-DD) that a stretch of time touches; ns."""
        first = max(_date(first_ts), self.first_date)
        last = _date(last_ts) if self.last_date is None else min(_date(last_ts), self.last_date)
        return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def load(root: DataRoot) -> Config:
    """Read the configuration.

    Raises:
        SettingsError: the file is missing, is not TOML, lacks a key, or a source has no sense or another's name.
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
            f"{root.config} cannot be read: {error}. Mend the file; `lobforge doctor` checks it."
        ) from error
    seen: set[str] = set()
    for instrument in instruments:
        if instrument.id in seen:
            raise InstrumentError(f"{root.config} lists {instrument.id} twice. Remove one of the two.")
        seen.add(instrument.id)
    named = [source.name for source in config.sources]
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        raise SettingsError(f"{root.config} has two sources named {twice[0]}. Rename one: names are folders.")
    return config


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
    )


def _source_lines(source: Source) -> str:
    return "[[source]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in vars(source).items())


def _toml(value: object) -> str:
    """A number, text, date or list as TOML writes it, which escapes text as JSON does."""
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _date(ts: int) -> date:
    return date.fromisoformat(date_of(ts))
