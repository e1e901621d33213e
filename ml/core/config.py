"""`lobforge.toml` in the data root: instruments and dates, the captures folder, archives to fetch.

This module reads and writes that file. It is append-only: partitions of removed keys could no longer be addressed.
Settings of a process belong to `ml.core.settings`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from dataclasses import dataclass as plain_dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from ml.core.errors import InstrumentError, SettingsError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.sources import Source
from ml.core.time import date_of

if TYPE_CHECKING:
    from tomlkit.items import AoT

T = TypeVar("T")
LONGEST = 3_600
HORIZONS = (10, 30, 60)
"""Label horizons in seconds, unless `lobforge.toml` lists others; the first is the primary one."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class LabelPlan:
    """Which labels are made, and what a trade costs in those after costs.

    Args:
        horizons: seconds, ascending; the primary one (10 s) is always among them.
        taker_fee: fraction of the notional, for each of entry and exit.
        latency: whole seconds from a decision to its entry, shorter than the shortest horizon.

    Raises:
        SettingsError: one of them is invalid.
    """

    horizons: Annotated[tuple[int, ...], Field(strict=False)] = HORIZONS
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


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class LayeringPlan:
    """Which cues of layering are collected and learned from.

    Args:
        budget: false alarms an hour; the detector's threshold for it decides what is collected, and a model of cues
            must keep it.
        weak: whether a model also learns from cues that the price alone labels; no test ever holds them.

    Raises:
        SettingsError: the budget is not above 0.
    """

    budget: float = 2.0
    weak: bool = False

    def __post_init__(self) -> None:
        if not self.budget > 0:
            raise SettingsError(f"layering.budget is {self.budget}. Give false alarms an hour, above 0.")


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class LifecyclePlan:
    """How a model that passed the gates takes over from a champion; hours are market time.

    Args:
        shadow_hours: the challenger scores every row beside the champion and serves none.
        split_hours: it serves a share of the traffic; at their end it is promoted or refused.
        split_share: of the traffic, by instrument and 10-minute bucket.
        watch_hours: after a promotion the previous champion keeps scoring every row, and takes over again on a fault.
        longest_hours: a challenge that is undecided after so long ends as insufficient.
        look_hours: between two looks at the comparison.
        alpha: chance that a challenger that is no better is called better, over all looks together.
        salt: of the hash that splits the traffic.
        max_error_rate: share of the rows on which a model may fail.
        max_latency_ratio: p99 of its processor time over that of the other model, measured beside it.
        max_abstention: share of the rows with known input on which it may give no answer.
        max_loss: macro-accuracy that it may lose against the other model, a fraction.

    Raises:
        SettingsError: one of them is out of its range.
    """

    shadow_hours: float = 24.0
    split_hours: float = 24.0
    split_share: float = 0.10
    watch_hours: float = 24.0
    longest_hours: float = 720.0
    look_hours: float = 1.0
    alpha: float = 0.05
    salt: str = "lobforge"
    max_error_rate: float = 0.01
    max_latency_ratio: float = 2.0
    max_abstention: float = 0.20
    max_loss: float = 0.02

    def __post_init__(self) -> None:
        for name in ("split_hours", "watch_hours", "look_hours"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"lifecycle.{name} is {getattr(self, name)}. Give hours above 0.")
        if self.shadow_hours < 0 or self.longest_hours < self.shadow_hours + self.split_hours:
            raise SettingsError(
                f"lifecycle.longest_hours is {self.longest_hours}. Give at least shadow_hours + split_hours, "
                f"{self.shadow_hours:g} + {self.split_hours:g}, and no negative hours."
            )
        for name in ("split_share", "alpha", "max_error_rate", "max_abstention", "max_loss"):
            if not 0 < getattr(self, name) < 1:
                raise SettingsError(f"lifecycle.{name} is {getattr(self, name)}. Give a fraction between 0 and 1.")
        if not self.max_latency_ratio > 1:
            raise SettingsError(f"lifecycle.max_latency_ratio is {self.max_latency_ratio}. Give a ratio above 1.")


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class BacktestPlan:
    """How orders of a backtest reach the market, besides the taker's fee, which is that of the labels.

    Args:
        latency_ms: from sending an order to its arrival, and once more until its answer is known.
        maker_fee: fraction of the notional; negative is a rebate.

    Raises:
        SettingsError: one of them is out of its range.
    """

    latency_ms: float = 100.0
    maker_fee: float = 0.0002

    def __post_init__(self) -> None:
        if not 0 <= self.latency_ms < 500:
            raise SettingsError(f"backtest.latency_ms is {self.latency_ms}. Give milliseconds from 0 to below 500.")
        if not -0.1 < self.maker_fee < 0.1:
            raise SettingsError(f"backtest.maker_fee is {self.maker_fee}. Give a fraction between -0.1 and 0.1.")


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class RetrainingPlan:
    """When models are trained again, besides each week and by hand.

    Args:
        new_days: UTC dates that are stored since the last training.
        cooldown_hours: between two trainings of an experiment that nobody asked for by hand.
        performance_drop: relative loss of the champion's macro-accuracy, a fraction, if it is no chance.
        recent_days: over which it is measured.

    Raises:
        SettingsError: one of them is out of its range.
    """

    new_days: int = 7
    cooldown_hours: float = 24.0
    performance_drop: float = 0.05
    recent_days: int = 7

    def __post_init__(self) -> None:
        if not (self.new_days >= 1 and self.recent_days >= 1 and self.cooldown_hours >= 0):
            raise SettingsError("retraining: give 1 or more new_days and recent_days, and no negative cooldown_hours.")
        if not 0 < self.performance_drop < 1:
            raise SettingsError(f"retraining.performance_drop is {self.performance_drop}. Give a fraction below 1.")


@plain_dataclass(frozen=True)
class Config:
    """Instruments, the first and last UTC date, the folder of captures, and the archives that may be fetched.

    `last_date` is None where the capture goes on. An instrument may have several entries in `instruments`, each for the
    dates from its `valid_from` on: a venue that makes its tick finer changes nothing about the days before.
    `experiments` are tables as they stand in the file; `ml.learning.experiment` reads them.
    """

    captures: Path
    first_date: date
    last_date: date | None
    instruments: tuple[Instrument, ...]
    sources: tuple[Source, ...] = ()
    labels: LabelPlan = field(default_factory=LabelPlan)
    layering: LayeringPlan = field(default_factory=LayeringPlan)
    lifecycle: LifecyclePlan = field(default_factory=LifecyclePlan)
    retraining: RetrainingPlan = field(default_factory=RetrainingPlan)
    backtest: BacktestPlan = field(default_factory=BacktestPlan)
    experiments: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

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


PLANS = ("labels", "layering", "lifecycle", "retraining", "backtest")
"""Fields of `Config` that are tables of the file, written where they are not the default."""


class _File(BaseModel):
    """The keys of `lobforge.toml`; its tables hold the fields of `Instrument`, `Source` and the plans."""

    model_config = ConfigDict(extra="forbid", strict=True)

    first_date: date
    last_date: date | None = None
    captures: str = "captures"
    labels: dict[str, Any] = {}
    layering: dict[str, Any] = {}
    lifecycle: dict[str, Any] = {}
    retraining: dict[str, Any] = {}
    backtest: dict[str, Any] = {}
    experiments: dict[str, Any] = {}
    source: list[dict[str, Any]] = []
    instrument: list[dict[str, Any]] = []


def load(root: DataRoot) -> Config:
    """Read the configuration.

    Raises:
        SettingsError: the file is missing or is not TOML, a key is missing, unknown or of the wrong type, or a source
            is invalid or has another's name.
        InstrumentError: an instrument is invalid or listed twice.
    """
    if not root.config.exists():
        raise SettingsError(f"{root.config} is missing. Run `lobforge init`.")
    try:
        document = tomllib.loads(root.config.read_text(encoding="utf-8-sig"))
        file = _made(_File, document, "")
        captures = Path(file.captures)
        config = Config(
            captures=captures if captures.is_absolute() else root.root / captures,
            first_date=file.first_date,
            last_date=file.last_date,
            instruments=tuple(_made(Instrument, one, f" of instrument {one.get('id')}") for one in file.instrument),
            sources=tuple(_made(Source, one, f" of source {one.get('name')}") for one in file.source),
            labels=_made(LabelPlan, file.labels, " of labels"),
            layering=_made(LayeringPlan, file.layering, " of layering"),
            lifecycle=_made(LifecyclePlan, file.lifecycle, " of lifecycle"),
            retraining=_made(RetrainingPlan, file.retraining, " of retraining"),
            backtest=_made(BacktestPlan, file.backtest, " of backtest"),
            experiments=file.experiments,
        )
    except (tomllib.TOMLDecodeError, _Fault) as error:
        raise SettingsError(f"{root.config}: {error}. Correct the file; `lobforge doctor` checks it.") from error
    instruments = config.instruments
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


class _Fault(Exception):
    """Which key is wrong, and what is allowed there."""


def _made(kind: type[T], table: dict[str, Any], owner: str) -> T:
    try:
        return kind(**table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = f"{'.'.join(map(str, first['loc']))}{owner}"
        if first["type"] in ("missing", "missing_argument"):
            raise _Fault(f"{key} is missing") from error
        if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = list(signature(kind).parameters)
            near = get_close_matches(str(first["loc"][0]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise _Fault(f"{key} is unknown: {hint}") from error
        raise _Fault(f"{key} is {first['input']!r}: {first['msg']}") from error


def render(config: Config) -> str:
    """The text of `lobforge.toml` for a configuration."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("Instruments and dates are partition keys: append, never remove or change them."))
    document.update(_given(captures=str(config.captures), first_date=config.first_date, last_date=config.last_date))
    for name in PLANS:
        plan = getattr(config, name)
        if plan != type(plan)():
            document.add(name, tomlkit.item(asdict(plan)))
    if config.experiments:
        experiments = tomlkit.table(is_super_table=True)
        experiments.update(config.experiments)
        document.add("experiments", experiments)
    if config.sources:
        document.add("source", _tables(config.sources))
    if config.instruments:
        document.add("instrument", _tables(config.instruments))
    return tomlkit.dumps(document)


def instrument_lines(instrument: Instrument) -> str:
    """The TOML lines of one instrument; tick and lot count units of 10^-decimals."""
    import tomlkit

    document = tomlkit.document()
    document.add("instrument", _tables([instrument]))
    return tomlkit.dumps(document)


def _tables(entries: Sequence[Source | Instrument]) -> "AoT":
    import tomlkit

    found = tomlkit.aot()
    for entry in entries:
        table = tomlkit.table()
        table.update(_given(**asdict(entry)))
        found.append(table)
    return found


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _date(ts: int) -> date:
    return date.fromisoformat(date_of(ts))
