"""`lobforge layering train` on a data root without cues."""

from tests.support.command import lobforge


def test_without_cues_it_says_what_to_run(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path))
    assert lobforge("layering", "train") == 2
    assert "No cues of layering are stored" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
