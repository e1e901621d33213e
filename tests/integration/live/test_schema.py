"""Requests made from the API's own description: none is answered by a server error or in an undocumented way."""

import shutil

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from live.model_server import Options, application
from ml.core.paths import DataRoot
from ml.layering import stored
from ml.storage import keys
from tests.support.cues import store
from tests.support.model_server import two_models
from tests.support.served import review_app, serving
from tests.support.shared import made_once

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The description of a served application, its stored cues, and a key."""
    folder = tmp_path_factory.mktemp("schema") / "root"
    root = DataRoot(shutil.copytree(made_once(tmp_path_factory, "cues", store), folder))
    with serving(review_app(root)) as port:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
        yield schema, stored.cues(root)["id"].to_list(), keys.create(root, "ann")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The description of a served model server, and a key."""
    folder = tmp_path_factory.mktemp("models") / "root"
    root = DataRoot(shutil.copytree(made_once(tmp_path_factory, "two models", two_models), folder))
    with serving(application(root, Options(rate=1e9))) as port:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json"), keys.create(root, "ann")


EXAMPLES = pytest.mark.parametrize("examples", [6, pytest.param(200, marks=pytest.mark.slow)])


@EXAMPLES
def test_no_request_is_a_server_error(served, examples):
    """Of every operation, valid and invalid, for cues that exist and for others."""
    schema, cues, key = served
    ask_all(schema, cues, key, examples, operations=14)


@pytest.mark.promise("E1")
@EXAMPLES
def test_no_request_to_the_model_server_is_a_server_error(models, examples):
    """Of every operation, valid and invalid."""
    schema, key = models
    ask_all(schema, [], key, examples, operations=7)


def ask_all(schema, cues, key, examples, operations):
    """Send examples of each operation and check the answers; cues are ids to ask for."""
    found = [one.ok() for one in schema.get_all_operations()]
    assert len(found) >= operations
    for operation in found:
        valid, invalid = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=valid | invalid, cue=st.sampled_from([None, *cues]))
        def send(case, cue):
            if cue is not None and "cue_id" in (case.path_parameters or {}):
                case.path_parameters["cue_id"] = cue
            case.call_and_validate(headers={"X-API-Key": key}, checks=list(CHECKS))

        send()
