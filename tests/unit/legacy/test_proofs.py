"""Documents about sources."""

import json

from ml.core.errors import SourceRefused
from ml.legacy import proofs
from ml.legacy.parts import Source
from ml.storage.commit import sha256_file


def source(folder):
    (folder / "a.bin").write_bytes(b"abc")
    return Source("batch", "x/a.bin", {"features": folder / "a.bin"})


def refusing(part, venue):
    raise SourceRefused("truncated", "it ends early", 3)


def test_a_refused_source_is_quarantined_with_its_reason(root, tmp_path):
    """The document names file, hash, rows and meaning; the file stays where it is."""
    part = proofs.read(source(tmp_path), "v", refusing)
    document = proofs.keep(root, "legacy_samples", part, "code")
    entry = json.loads(root.quarantined(part.key).read_text())
    assert (entry["source"], entry["detail"]) == ("x/a.bin", "it ends early")
    assert entry["sha256"] == {"features": sha256_file(tmp_path / "a.bin")}
    assert entry["reasons"] == [{"reason": "truncated", "meaning": "the file ends in the middle", "rows": [0, 1, 2]}]
    assert document["quarantined"] == {"truncated": 3}


def test_a_proof_is_known_to_the_code_that_made_it(root, tmp_path):
    """Other code reads the source again; so does other content."""
    found = source(tmp_path)
    kept = proofs.keep(root, "t", proofs.read(found, "v", refusing), "one")
    assert proofs.known(root, "t", found, "one") == kept
    assert proofs.known(root, "t", found, "two") is None
    (tmp_path / "a.bin").write_bytes(b"abd")
    assert proofs.known(root, "t", found, "one") is None


def test_what_stands_there_is_not_written_again(root, tmp_path):
    """Not even with the same bytes."""
    proofs.write(tmp_path / "d.json", {"a": 1})
    before = (tmp_path / "d.json").stat().st_ino
    proofs.write(tmp_path / "d.json", {"a": 1})
    assert (tmp_path / "d.json").stat().st_ino == before
    assert proofs.load(tmp_path / "absent.json") == {}


def test_leftovers_of_a_kill_are_removed(root):
    """Half-written documents alone."""
    proofs.write(root.proof("t", "k"), {})
    leftover = root.proof("t", "k").with_name(".k.json.123")
    leftover.touch()
    proofs.tidy(root, "t")
    assert not leftover.exists()
    assert root.proof("t", "k").exists()
