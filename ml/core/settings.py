"""Settings of the running process: `LOBFORGE_*` variables, then `.env`, then the defaults below.

Settings are what differs between machines or runs. Add a field with its unit, and a line in the table of the README.
Instruments and dates belong to the data: they are in `lobforge.toml` in the data root (`ml.core.config`).
"""

import os
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ml.core.errors import SettingsError

PREFIX = "LOBFORGE_"


class Settings(BaseSettings):
    """The settings of one process; paths are taken relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="forbid", frozen=True)

    data_root: Path = Path("data")
    """Where every table, the Dagster instance and the MLflow store lie."""
    cache_dir: Path | None = None
    """Where compiled kernels are kept; the user's cache folder, the data root or a temporary folder if left out."""
    test_data: Path | None = None
    """Where the recorded market files for the tests lie."""
    compiled_parser: bool = True
    """Whether frames of known shapes are parsed many at a time by compiled code; results do not depend on it."""
    threads: int = 1
    """Threads of the training library; results do not depend on it. More help only on cores that nobody else uses."""


def load() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: an unknown `LOBFORGE_*` variable or `.env` key, or a value of the wrong type.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.upper() not in known:
            raise SettingsError(_unknown(variable, known))
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        if first["type"] == "extra_forbidden":
            raise SettingsError(_unknown(name, known)) from error
        raise SettingsError(f"{PREFIX}{name.removeprefix(PREFIX)} is {first['input']!r}: {first['msg']}.") from error


def _unknown(variable: str, known: set[str]) -> str:
    near = get_close_matches(variable.upper(), known, n=1)
    hint = f" Did you mean {near[0]}?" if near else f" Known are {', '.join(sorted(known))}."
    return f"Unknown setting {variable}.{hint}"
