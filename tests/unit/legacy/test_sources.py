"""Finding the predecessor's files."""

import pytest

from ml.core.errors import CaptureError
from ml.legacy.sources import find
from tests.support import legacy_files
from tests.support.legacy_patterns import every_pattern


@pytest.fixture
def tree(tmp_path):
    """Every generation of every kind."""
    legacy_files.everything(tmp_path)
    every_pattern(tmp_path)
    return tmp_path


def test_every_kind_is_found_by_name_and_place(tree):
    """Files of one batch are one source; what is passed over has its reason."""
    found = find(tree)
    assert {kind: len(sources) for kind, sources in found.sources.items()} == {
        "batch": 11,
        "offline": 7,
        "layering": 4,
        "statistics": 1,
    }
    assert found.left == {"pickle": ["layering_adaptive_v1.pkl"], "raw_lob": ["raw_lob/BTCUSDT/x.parquet"]}
    assert {len(source.files) for source in found.of("batch")} == {3}


def test_any_part_of_the_tree_may_be_given(tree):
    """A symbol's folder, or one array."""
    symbol = tree / "ml_training" / "BTCUSDT"
    assert [s.symbol for s in find(symbol).of("batch")] == ["BTCUSDT", "BTCUSDT"]
    assert len(find(symbol / "features" / "2025-11-07_batch_0001.npy").of("batch")) == 1


def test_labels_without_their_array_are_reported(tree):
    """There is nothing that they could label."""
    (tree / "ml_training/BTCUSDT/features/2025-11-07_batch_0001.npy").unlink()
    assert len(find(tree).left["no_features"]) == 2


def test_names_of_coins_are_reported(tree):
    """Nothing reads them: the option gives the symbols."""
    (tree / "hlcv_coins.json").write_text("[]")
    assert find(tree).left["coins"] == ["hlcv_coins.json"]


def test_our_own_tables_are_not_taken_for_theirs(tmp_path):
    """A data root's feature store has the same folders; files of ours are named by instrument."""
    path = tmp_path / "feature_store/offline/training_features/date=2025-11-07/features_sim.X.parquet"
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(CaptureError, match="contains none of the predecessor's files"):
        find(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    """Nothing can be migrated."""
    with pytest.raises(CaptureError, match="does not exist"):
        find(tmp_path / "absent")
