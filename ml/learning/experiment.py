"""What a model is trained on and how: one experiment for each table `[experiments.NAME]` of `lobforge.toml`.

Here: the definition, its defaults, and reading it.
Not here: the panel that is made of it (`ml.learning.dataset`), models (`ml.learning.models`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ml.core import config
from ml.core.config import HORIZONS, Config
from ml.core.errors import SettingsError
from ml.core.paths import DEFAULT_EXPERIMENT, LAYERING_MODEL, DataRoot
from ml.features.sets import SETS, FeatureSet, feature_set
from ml.learning.models.catalog import CATALOG, options_of

LONGEST_SPACING = 3_600
NAME = re.compile(rf"(?!{LAYERING_MODEL}$)[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Experiment:
    """The definition of a training: the panel stores it, and everything after the panel takes it from there.

    Args:
        name: of the experiment, its partition, its documents and its model in the registry.
        features: name of the feature set.
        horizon: seconds from a row to the time that its class describes; one of the label horizons.
        row_spacing: seconds between rows of the panel, on the UTC grid; at 1 every sample counts.
        window_days: how many UTC dates the panel covers at most, up to the last stored one; None is all of them.
        instruments: ids; none means all.
        model: a model of the catalog (`lobforge models list --catalog`).
        options: of the model; those that are left out are searched for, or are the library's.
    """

    name: str
    features: str = "base_35"
    horizon: int = HORIZONS[0]
    row_spacing: int = 1
    window_days: int | None = 90
    instruments: tuple[str, ...] = ()
    model: str = "lightgbm"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    @property
    def feature_set(self) -> FeatureSet:
        """The columns that a model sees."""
        return feature_set(self.features)

    def label(self, kind: str) -> str:
        """The column of `training_features` that holds a kind of label at the experiment's horizon."""
        return f"{kind}_{self.horizon}s"


DEFAULT = Experiment(DEFAULT_EXPERIMENT)
"""Exists without an entry; an entry of its name changes it."""


def load(root: DataRoot) -> dict[str, Experiment]:
    """The experiments by name: the default one, then those of `lobforge.toml` in the order of the file.

    Raises:
        SettingsError: an entry is invalid; names its line.
    """
    configuration = config.load(root)
    found = {DEFAULT.name: DEFAULT}
    for name, entries in configuration.experiments.items():
        for key, fault in _faults(name, entries, configuration):
            raise SettingsError(f"{root.config}, line {_line(root, name, key)}, [experiments.{name}]: {fault}")
        found[name] = of_dict({"name": name, "instruments": ()} | entries)
    return found


def named(root: DataRoot, name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        SettingsError: there is none, or an entry is invalid.
    """
    found = load(root)
    if name not in found:
        raise SettingsError(
            f"Unknown experiment {name!r}. Available: {', '.join(found)}. Add [experiments.{name}] to {root.config}."
        )
    return found[name]


def as_dict(experiment: Experiment) -> dict[str, Any]:
    """The experiment as it is stored in JSON."""
    return asdict(experiment) | {"instruments": list(experiment.instruments)}


def of_dict(content: Mapping[str, Any]) -> Experiment:
    """The experiment that `as_dict` gave."""
    known: dict[str, Any] = dict(content) | {"instruments": tuple(content["instruments"])}
    return Experiment(**known)


def _faults(name: str, entries: Any, configuration: Config) -> Iterator[tuple[str | None, str]]:
    """Key and what is wrong with it; None is the table itself."""
    known = [one.name for one in fields(Experiment) if one.name != "name"]
    if not NAME.fullmatch(name):
        yield (
            None,
            "the name must be of small letters, digits, _ and -, because folders are named by it, and not "
            f"{LAYERING_MODEL!r}. Rename it.",
        )
    if not isinstance(entries, dict):
        yield None, f"it is {entries!r}, not a table. Write [experiments.{name}] and a line for each value below it."
        return
    given: dict[str, Any] = entries
    horizons = configuration.labels.horizons
    for key, value in given.items():
        match key:
            case "features":
                valid, wanted = value in SETS, f"one of {', '.join(SETS)}: sets whose rows are those of the samples"
            case "horizon":
                valid, wanted = _whole(value) and value in horizons, f"one of labels.horizons, {list(horizons)}"
            case "row_spacing":
                valid, wanted = _whole(value) and 1 <= value <= LONGEST_SPACING, f"seconds from 1 to {LONGEST_SPACING}"
            case "window_days":
                valid, wanted = _whole(value) and value >= 1, "a number of UTC dates, 1 or more"
            case "instruments":
                valid = isinstance(value, list) and all(one in configuration.ids for one in value)
                wanted = f"a list of listed instruments, of {configuration.ids}"
            case "model":
                valid, wanted = value in CATALOG, f"one of {', '.join(CATALOG)}"
            case "options":
                fault = _option_fault(given.get("model", DEFAULT.model), value)
                valid, wanted = fault is None, fault or "options"
            case _:
                valid, wanted = False, ""
        if key == "options" and not valid:
            yield key, wanted
        elif not wanted:
            yield key, f"{key} is unknown. Known: {', '.join(known)}."
        elif not valid:
            yield key, f"{key} is {value!r}. Give {wanted}."


def _option_fault(model: Any, options: Any) -> str | None:
    if not isinstance(options, dict):
        return f"options is {options!r}. Give a table of options."
    try:
        options_of(str(model), options)  # type: ignore[arg-type]
    except SettingsError as error:
        return str(error)
    return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _line(root: DataRoot, name: str, key: str | None) -> int:
    """Where an entry stands in the file, counted from 1; where its table begins, if the key has no line of its own."""
    lines = root.config.read_text(encoding="utf-8-sig").splitlines()
    header = re.compile(rf"\s*\[\s*experiments\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*[.\]]")
    start = next((number for number, text in enumerate(lines, 1) if header.match(text)), 1)
    for number, text in enumerate(lines[start:], start + 1):
        if key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", text):
            return number
        if text.lstrip().startswith("["):
            break
    return start
