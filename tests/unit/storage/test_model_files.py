"""What is read of a model is what was saved."""

import json

import pytest

from ml.core.errors import ModelRefused
from ml.storage.model_files import MANIFEST, identity, load, save

FILES = {"model.txt": b"trees", "card.json": b"{}"}


def test_files_come_back_as_they_were(tmp_path):
    save(tmp_path / "new" / "model", FILES)
    assert load(tmp_path / "new" / "model", "") == FILES


def test_the_identity_follows_from_every_file():
    """Whatever the order in which they are named."""
    assert identity(FILES) == identity(dict(reversed(FILES.items())))
    assert identity(FILES) != identity(FILES | {"card.json": b"{ }"})


@pytest.mark.parametrize("damage", ["changed", "removed", "no manifest", "torn manifest", "another manifest"])
def test_a_damaged_model_is_refused_with_what_to_do(tmp_path, damage):
    save(tmp_path, FILES)
    match damage:
        case "changed":
            (tmp_path / "model.txt").write_bytes(b"other")
        case "removed":
            (tmp_path / "model.txt").unlink()
        case "no manifest":
            (tmp_path / MANIFEST).unlink()
        case "torn manifest":
            (tmp_path / MANIFEST).write_bytes(b'{"model.t')
        case _:
            (tmp_path / MANIFEST).write_text(json.dumps([1]))
    with pytest.raises(ModelRefused, match=r"Do this\.$"):
        load(tmp_path, "Do this.")
