"""What we rely on in MLflow: SQLite by default, aliases instead of stages, versions that keep their tags."""

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client on a store of its own, with one model of two versions."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    client.create_registered_model("direction")
    experiment = client.create_experiment("lobforge", (folder / "artifacts").as_uri())
    for name in ("a", "b"):
        run = client.create_run(experiment).info
        (folder / name).mkdir()
        (folder / name / "model.txt").write_text(name)
        client.log_artifacts(run.run_id, str(folder / name), "model")
        client.create_model_version("direction", f"{run.artifact_uri}/model", run.run_id, tags={"model_id": name})
    return client


def test_an_alias_moves_and_goes(client):
    """Set, moved to another version, deleted: the old version is untouched, and no alias is an error that says so."""
    for version in ("1", "2", "1"):
        client.set_registered_model_alias("direction", "champion", version)
        assert str(client.get_model_version_by_alias("direction", "champion").version) == version
        aliases = client.get_registered_model("direction").aliases
        assert str(client.get_model_version("direction", aliases["champion"]).version) == version
    client.delete_registered_model_alias("direction", "champion")
    assert client.get_registered_model("direction").aliases == {}
    with pytest.raises(MlflowException, match="champion"):
        client.get_model_version_by_alias("direction", "champion")


def test_an_alias_is_set_without_asking_what_it_was(client):
    """That is why the journal compares before it sets: MLflow itself overwrites whoever came first."""
    client.set_registered_model_alias("direction", "champion", "1")
    client.set_registered_model_alias("direction", "champion", "2")
    assert str(client.get_model_version_by_alias("direction", "champion").version) == "2"


@pytest.mark.parametrize(("model_id", "versions"), [("a", ["1"]), ("b", ["2"]), ("c", [])])
def test_a_version_is_found_by_its_tag(client, model_id, versions):
    """Model ids are tags of versions."""
    found = client.search_model_versions(f"name = 'direction' and tag.model_id = '{model_id}'")
    assert [str(version.version) for version in found] == versions


def test_files_come_back_as_they_were_logged(client, tmp_path):
    """Through the run, without any flavour of model."""
    version = client.get_model_version("direction", "2")
    folder = client.download_artifacts(version.run_id, "model", str(tmp_path))
    assert (tmp_path / "model" / "model.txt").read_text() == "b"
    assert folder == str(tmp_path / "model")


def test_a_version_is_made_even_of_files_that_do_not_exist(client):
    """That is why what is loaded is checked against its id."""
    version = client.create_model_version("direction", "/nowhere/at/all", tags={"model_id": "ghost"})
    assert version.status == "READY"
    client.delete_model_version("direction", version.version)


def test_the_file_store_is_refused(tmp_path, monkeypatch):
    """Folders of YAML are no store any more: it must be a database."""
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(MlflowException, match=r"(?i)file"):
        MlflowClient(f"file:{tmp_path}").search_experiments()
