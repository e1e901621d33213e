"""`lobforge.toml` in the data root: which instruments and dates exist, and where the captures lie.

Here: reading and writing that file. It is append-only: partitions of removed keys could no longer be addressed.
Not here: settings of a process (`ml.settings`).
"""

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ml.errors import InstrumentError, SettingsError
from ml.instruments import Instrument
from ml.paths import DataRoot
from ml.schemas import HORIZONS

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
    """Instruments, the first and last UTC date, and the folder of captures.

    `last_date` is None where the capture goes on.
    """

    captures: Path
    first_date: date
    last_date: date | None
    instruments: tuple[Instrument, ...]
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
        SettingsError: the file is missing, is not TOML, or lacks a key.
        InstrumentError: an instrument is listed twice.
    """
    if not root.config.exists():
        raise SettingsError(f"{root.config} is missing. Run `lobforge init`.")
    try:
        document = tomllib.loads(root.config.read_text())
        instruments = tuple(Instrument(**entry) for entry in document.get("instrument", []))
        captures = Path(document.get("captures", "captures"))
        config = Config(
            captures=captures if captures.is_absolute() else root.root / captures,
            first_date=document["first_date"],
            last_date=document.get("last_date"),
            instruments=instruments,
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
        f'captures = "{config.captures}"',
        f"first_date = {config.first_date.isoformat()}",
    ]
    if config.last_date is not None:
        lines.append(f"last_date = {config.last_date.isoformat()}")
    if config.labels != LabelPlan():
        lines += ["", "[labels]", *(f"{name} = {_toml(value)}" for name, value in vars(config.labels).items())]
    return "\n".join(lines) + "\n" + "".join("\n" + instrument_lines(i) for i in config.instruments)


def instrument_lines(instrument: Instrument) -> str:
    """The TOML lines of one instrument; tick and lot count units of 10^-decimals."""
    return (
        "[[instrument]]\n"
        f'id = "{instrument.id}"\n'
        f"price_decimals = {instrument.price_decimals}\n"
        f"size_decimals = {instrument.size_decimals}\n"
        f"tick = {instrument.tick}\n"
        f"lot = {instrument.lot}\n"
        f"contract_size = {instrument.contract_size}\n"
    )


def _toml(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType]


def _date(ts: int) -> date:
    return datetime.fromtimestamp(ts // 10**9, UTC).date()
