"""Phrases of the old dialect that must not come back in product, documentation or asset descriptions."""

import re

import pytest

from tests.architecture.sources import PROJECT

PHRASES = (
    "set aside",
    "anew",
    "taken down",
    "takes down",
    "take down",
    "what came after",
    "is owed",
    "has no sense",
    "cannot be had",
    "cries wolf",
    "falls silent",
    "hang together",
    "hang up",
    "the cellar",
    "one a side",
    "a row a second",
    "again and again",
    "stranger",
)
FOLDERS = ("ml", "assets", "pipelines", "live", "cli", "deploy", "docs")


def texts():
    """Every source and document of the product; of the data root only its README."""
    yield from (PROJECT / name for name in ("README.md", "CHANGELOG.md", "data/README.md"))
    for folder in FOLDERS:
        yield from (path for end in ("py", "md", "yaml", "service") for path in (PROJECT / folder).rglob(f"*.{end}"))


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_text_uses_the_old_dialect(phrase):
    """In any letter case, also across a line break."""
    pattern = re.compile(r"\b" + r"\s+".join(re.escape(word) for word in phrase.split()) + r"\b", re.IGNORECASE)
    found = {str(path.relative_to(PROJECT)): pattern.search(path.read_text()) for path in texts()}
    assert [name for name, match in found.items() if match] == []
