"""Requests made from the API's own description: whatever is sent, the server answers, and as it says it does."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from ml.core.paths import DataRoot
from ml.layering import stored
from ml.storage import keys
from tests.support.cues import store
from tests.support.served import review_app
from tests.support.shared import made_once
