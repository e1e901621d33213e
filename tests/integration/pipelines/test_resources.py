"""Resources give the plain objects that assets take."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from ml.core import config
from ml.core.config import Config
from ml.core.errors import SettingsError
from ml.promotion.registry import Registry
from ml.storage.durable import write_text
from pipelines.definitions import resources_of
from tests.support.scenario import INSTRUMENT

LISTED = Config(Path("captures"), date(2025, 3, 3), None, (INSTRUMENT,))


@pytest.fixture
def given(root):
    """The resources over a data root with a configuration."""
    write_text(root.config, config.render(LISTED))
    return resources_of(root)


def test_assets_see_plain_objects(given, root):
    """No Dagster type reaches them: data root, configuration, registry."""
    with dg.build_resources({name: given[name] for name in ("data_root", "configuration", "registry")}) as made:
        assert made.data_root == root
        assert made.configuration == replace(LISTED, captures=root.root / "captures")
        assert isinstance(made.registry, Registry)
        assert made.registry.root == root


def test_the_configuration_is_read_when_the_run_starts(given, root):
    """An instrument that is listed after the definitions were loaded is there without a restart."""
    other = replace(INSTRUMENT, id="sim.OTHER")
    write_text(root.config, config.render(replace(LISTED, instruments=(INSTRUMENT, other))))
    with dg.build_resources({"configuration": given["configuration"]}) as made:
        assert made.configuration.instrument("sim.OTHER") == other


def test_a_setting_that_is_unknown_stops_the_run(given, monkeypatch):
    """A misspelt variable is refused, with what was probably meant."""
    monkeypatch.setenv("LOBFORGE_THREAD", "1")
    with pytest.raises(dg.DagsterResourceFunctionError) as caught, dg.build_resources({"settings": given["settings"]}):
        pass
    assert isinstance(caught.value.__cause__, SettingsError)
    assert "LOBFORGE_THREADS" in str(caught.value.__cause__)


def test_settings_are_those_of_the_process(given, monkeypatch):
    """What the environment says counts when the run starts."""
    monkeypatch.setenv("LOBFORGE_THREADS", "7")
    with dg.build_resources({"settings": given["settings"]}) as made:
        assert made.settings.threads == 7
