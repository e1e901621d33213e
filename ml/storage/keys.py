"""API keys: who may change something over HTTP, and under which name.

Here: making, checking and revoking keys; of each only its hash is stored, in a file that its owner alone can read.
Not here: the check of a request (`live.server`).

A key is 256 random bits, so a plain hash of it can be neither guessed nor reversed.
"""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ml.core.errors import SettingsError
from ml.core.paths import DataRoot
from ml.storage import commit, durable

PREFIX = "lf_"
LONGEST_NAME = 64
PRIVATE = 0o600


class Key(NamedTuple):
    """A key as stored: its name, the sha256 of the key, when it was made (ISO 8601 UTC)."""

    name: str
    sha256: str
    created: str


def listing(root: DataRoot) -> list[Key]:
    """The keys of a data root in the order in which they were made.

    Raises:
        SettingsError: the file is damaged.
    """
    try:
        content: Any = json.loads(root.keys.read_text())
        return [Key(**one) for one in content]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{root.keys} is damaged: {error}. Remove it and create the keys again.") from error


def create(root: DataRoot, name: str) -> str:
    """Make a key and return it; it cannot be shown again.

    Raises:
        SettingsError: the name is empty, too long, cannot be printed, or is taken.
    """
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME or name != name.strip():
        raise SettingsError(f"{name!r} is no name of a key. Use up to {LONGEST_NAME} printable characters.")
    key = PREFIX + secrets.token_urlsafe(32)
    with commit.writer(root, "keys"):
        known = listing(root)
        if any(one.name == name for one in known):
            raise SettingsError(
                f"There is a key {name!r}. Revoke it with `lobforge key revoke {name}`, or name another."
            )
        _write(root, [*known, Key(name, _hash(key), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")])
    return key


def revoke(root: DataRoot, name: str) -> None:
    """Make a key invalid at once.

    Raises:
        SettingsError: there is none of that name.
    """
    with commit.writer(root, "keys"):
        known = listing(root)
        kept = [one for one in known if one.name != name]
        if len(kept) == len(known):
            names = ", ".join(one.name for one in known) or "none"
            raise SettingsError(f"There is no key {name!r}. Known are: {names}.")
        _write(root, kept)


def owner(known: list[Key], key: str) -> str | None:
    """The name of the key, None if it is none of these; takes as long for each."""
    given = _hash(key)
    found = None
    for one in known:
        if secrets.compare_digest(one.sha256, given):
            found = one.name
    return found


def _write(root: DataRoot, known: list[Key]) -> None:
    text = json.dumps([one._asdict() for one in known], indent=1) + "\n"
    durable.write_bytes(root.keys, text.encode(), PRIVATE)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
