"""Settings from the environment and .env."""

import pytest

from ml.core import settings
from ml.core.errors import SettingsError


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch):
    """A misspelt variable would silently leave the default in force."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOTS", "x")
    with pytest.raises(SettingsError, match="Did you mean LOBFORGE_DATA_ROOT"):
        settings.load()


def test_an_unknown_key_in_the_env_file_is_refused(monkeypatch, tmp_path):
    """The same holds for .env."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LOBFORGE_THREAD=4\n")
    with pytest.raises(SettingsError, match="LOBFORGE_THREADS"):
        settings.load()


def test_a_value_of_the_wrong_type_names_the_setting(monkeypatch):
    """The message says which setting and what it was."""
    monkeypatch.setenv("LOBFORGE_THREADS", "many")
    with pytest.raises(SettingsError, match="LOBFORGE_THREADS is 'many'"):
        settings.load()


def test_the_environment_wins_over_the_file(monkeypatch, tmp_path):
    """Precedence: environment, .env, default."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LOBFORGE_THREADS=4\n")
    assert settings.load().threads == 4
    monkeypatch.setenv("LOBFORGE_THREADS", "3")
    assert settings.load().threads == 3
