"""The kinds of models there are.

Here: all families by name, and reading an experiment's options for one.
Add here: a family; training, gates, latency, the registry and the live runner reach it through this catalog alone.
Not here: what a family must offer (`ml.learning.models.family`).
"""

from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, get_args, get_type_hints

from ml.core.errors import SettingsError
from ml.learning.models.baselines import LogisticImbalance, Majority
from ml.learning.models.family import Family
from ml.learning.models.lightgbm import LightGBM

CATALOG: dict[str, Family] = {family.name: family for family in (LightGBM(), Majority(), LogisticImbalance())}


def family(name: str) -> Family:
    """The family of a name.

    Raises:
        SettingsError: there is none.
    """
    if name not in CATALOG:
        raise SettingsError(f"Unknown model {name!r}. Available: {', '.join(CATALOG)}.")
    return CATALOG[name]


def options_of(name: str, given: Mapping[str, Any]) -> Any:
    """The options of a family with some of them set.

    Raises:
        SettingsError: one is unknown or of another type.
    """
    kind = family(name).options
    types = {key: _types(hint) for key, hint in get_type_hints(kind).items()}
    for key, value in given.items():
        if key not in types:
            raise SettingsError(f"{name} has no option {key!r}. Known: {', '.join(types) or 'none'}.")
        whole = float in types[key] and type(value) is int
        if type(value) not in types[key] and not whole:
            wanted = " or ".join(one.__name__ for one in types[key] if one is not type(None))
            raise SettingsError(f"option {key} of {name} is {value!r}. Give a value of type {wanted}.")
    return kind(**given)


def as_dicts() -> list[dict[str, Any]]:
    """Every family with its options: name, type, default and meaning."""
    return [
        {
            "name": one.name,
            "description": one.sentence,
            "options": [
                {
                    "name": field.name,
                    "type": " or ".join(t.__name__ for t in _types(hint) if t is not type(None)),
                    "default": field.default,
                    "description": field.metadata["about"],
                }
                for field, hint in zip(fields(one.options), get_type_hints(one.options).values(), strict=True)
            ],
        }
        for one in CATALOG.values()
    ]


def _types(hint: Any) -> tuple[type, ...]:
    return get_args(hint) if isinstance(hint, UnionType) else (hint,)
