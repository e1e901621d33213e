"""Straight from captures: which days there are.

`tests/integration/cli/test_features_make.py` holds the tables against those of the assets, byte for byte.
"""

import pytest

from ml.core.config import LabelPlan
from ml.core.errors import CaptureError
from ml.learning.from_captures import dates, make
from tests.support.scenario import INSTRUMENT, USDM, capture, chain_of, diff, snapshot

DAY_MS = 86_400_000
T = 1_741_046_400_000
"""2025-03-04 in ms."""


def test_every_day_between_a_files_first_and_last_event_is_reached(tmp_path):
    """Also one in the middle without a frame; days between two files are not."""
    capture(tmp_path / "a.log", [snapshot(1, T), diff(2, 1, T), diff(3, 2, T + 2 * DAY_MS)], T)
    capture(tmp_path / "b.log", [diff(4, 3, T + 5 * DAY_MS)], T + 5 * DAY_MS)
    found = dates(chain_of(tmp_path), USDM)
    assert found == ["2025-03-04", "2025-03-05", "2025-03-06", "2025-03-09"]
    assert dates(chain_of(tmp_path), "binance-usdm.OTHER") == []


def test_labels_follow_the_plan(simulated):
    """Other horizons give other columns; features are a row per second like labels."""
    made = make(chain_of(simulated), INSTRUMENT, "2025-03-04", LabelPlan(horizons=(10, 300)))
    assert made.features["ts"].equals(made.labels["ts"])
    assert {name for name in made.labels.columns if name.startswith("movement")} == {"movement_10s", "movement_300s"}
    assert made.refused == {}


def test_a_day_that_is_not_there_is_an_error(simulated):
    """As for the asset."""
    with pytest.raises(CaptureError, match="no frame of 2025-03-09"):
        make(chain_of(simulated), INSTRUMENT, "2025-03-09", LabelPlan())
