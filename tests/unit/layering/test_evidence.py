"""Evidence of a cue: the same bytes for the same id, contributions that add up, a counterfactual that is true."""

import json
import math
import re
from hashlib import sha256

import jsonschema
import numpy as np
import orjson
import polars as pl
import pytest

from live import pages
from ml.core.errors import DatasetError, StoreError
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.layering import stored
from ml.layering.evidence import counterfactuals, packet
from ml.layering.features import NAMES
from ml.layering.model import load
from ml.plotting.cue import grid_of, picture
from tests.architecture.sources import PROJECT
from tests.oracles.book import DictBook
from tests.support.command import lobforge
from tests.support.cues import DATE, THRESHOLD, store
from tests.support.layered import ASK, BID, INSTRUMENT, stump
from tests.support.shared import made_once

SCHEMA = json.loads((PROJECT / "tests" / "schemas" / "layering_evidence.json").read_text())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return DataRoot(made_once(tmp_path_factory, "cues", store))


@pytest.fixture(scope="module")
def cue(root):
    """The first cue: three ask layers of one size."""
    return stored.cues(root)["id"][0]


@pytest.fixture(scope="module")
def found(root, cue):
    return packet(root, stored.around(root, cue))


def test_the_same_id_gives_the_same_bytes(root, cue, found):
    again = stored.around(root, cue)
    shown = [pages.evidence(one, picture(again, INSTRUMENT)) for one in (found, packet(root, again))]
    assert orjson.dumps(packet(root, again)) == orjson.dumps(found)
    assert shown[0] == shown[1]


def test_contributions_add_up_to_the_score(found):
    """They are LightGBM's own; the scores are those of the compiled trees."""
    score = found["score"]
    total = score["base"] + sum(one["log_odds"] for one in score["contributions"])
    assert total == pytest.approx(math.log(score["score"] / (1 - score["score"])), abs=1e-9)
    assert score["score"] == found["cue"]["score"]
    assert {one["feature"] for one in score["contributions"]} == set(NAMES)


def test_a_counterfactual_lowers_the_score_below_the_threshold_and_a_smaller_change_does_not(found):
    model = load()
    values = np.array([feature["value"] for feature in found["features"]])
    changes = found["score"]["counterfactuals"]
    assert changes
    for change in changes:
        k = NAMES.index(change["feature"])
        is_lower = change["relation"] == "at most"
        enough = change["bound"] if is_lower else np.nextafter(change["bound"], np.inf)
        short = np.nextafter(change["bound"], np.inf) if is_lower else change["bound"]
        trials = np.repeat(values[None], 2, axis=0)
        trials[:, k] = enough, short
        scores = model.predict(trials)
        assert scores[0] == change["score"] < THRESHOLD <= scores[1]


def test_a_feature_that_no_tree_uses_changes_nothing():
    """And without a single one that decides, there is no counterfactual."""
    model = stump("layers", 2.5, -1.0, 1.0)
    values = np.zeros(len(NAMES))
    values[NAMES.index("layers")] = 4
    assert counterfactuals(model, values, 0.5) == [
        {
            "feature": "layers",
            "value": 4.0,
            "relation": "at most",
            "bound": 2.5,
            "score": pytest.approx(0.2689, abs=1e-4),
        }
    ]
    assert counterfactuals(model, values, 0.1) == []


def test_the_book_of_each_moment_is_the_stored_one(root, cue, found):
    """Beside a plain replay of all rows up to the message."""
    rows = pl.read_parquet(root.partition("book_events", DATE, INSTRUMENT.id))
    for moment in found["book"]:
        book = DictBook()
        for side, price, size in (
            rows.filter(pl.col("event_ts") <= moment["message"]).select("side", "price", "size").rows()
        ):
            book.set(side, price, size)
        for name, side in (("bids", 1), ("asks", -1)):
            assert moment[name] == [[p / 10, s / 1000] for p, s in book.top(side, 10)]
    lots = {moment["moment"]: [size for _, size in moment["lots"]] for moment in found["book"]}
    assert lots["before the first lot"] == [0, 0, 0]
    assert lots["all lots placed"] == lots["before the first pull"] == [0.15, 0.15, 0.15]
    assert lots["after the last pull"] == [0, 0, 0]


def test_frames_are_those_of_the_capture(root, found):
    """Each is at its offset of the file whose hash is named, with its own hash."""
    (capture,) = root.captures.iterdir()
    content = capture.read_bytes()
    assert found["frames"]["left_out"] == 0
    assert {frame["arrival"] for frame in found["frames"]["quoted"]} == {
        one["arrival"] for one in found["level_changes"] + found["trades"]
    }
    for frame in found["frames"]["quoted"]:
        assert frame["source_sha256"] == sha256(content).hexdigest()
        line = content[frame["offset"] :].partition(b"\n")[0]
        assert line == b"%d %s" % (frame["received"], frame["text"].encode())
        assert frame["sha256"] == sha256(frame["text"].encode()).hexdigest()


def test_layers_appear_and_vanish_among_the_changes(found):
    changes = found["level_changes"]
    appeared = [one for one in changes if one["before"] == 0]
    vanished = [one for one in changes if one["after"] == 0]
    assert [one["price"] for one in appeared] == [1000.6, 1000.7, 1000.8]
    assert {one["time"] for one in vanished} == {found["cue"]["last_pull"]}


def test_the_command_prints_the_packet_or_what_is_wrong(root, cue, found, monkeypatch, capsys):
    """One document either way, as the schema says."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    assert lobforge("layering", "evidence", cue, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    jsonschema.validate(printed, SCHEMA)
    assert printed == json.loads(orjson.dumps(found))
    assert lobforge("layering", "evidence", "nonsense", "--json") == 2
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)
    assert lobforge("layering", "evidence", cue) == 0
    assert "it says nothing of anybody's intention" in capsys.readouterr().out


def test_the_page_needs_nothing_else_and_never_claims_intent(root, cue, found, tmp_path):
    assert lobforge_to(root, tmp_path, cue) == 0
    text = (tmp_path / "cue.html").read_text()
    links = re.findall(r"""(?:src|href)=["']?([^"'> ]+)""", text)
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert "http" not in re.sub(r"<code>.*?</code>", "", text)
    assert "nobody sees who owns an order" in text
    assert not re.search("manipulat|proof|guilty|spoofer", text, re.IGNORECASE)


def lobforge_to(root, folder, cue):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
        return lobforge("layering", "evidence", cue, "--html", folder / "cue.html")


def test_the_picture_shows_the_layers_only_while_they_stood(root, cue):
    """Price rows of the lots, step by step."""
    around = stored.around(root, cue)
    row, window = around
    grid, touch, prices = grid_of(around, INSTRUMENT)
    lots = grid[np.isin(prices, row["prices"])]
    begins = window.start + np.arange(grid.shape[1]) * SECOND // 4
    stood = (begins >= row["start"] + SECOND // 2) & (begins < row["first_pull"] - SECOND // 2)
    gone = (begins > row["last_pull"]) & (begins < row["last_pull"] + SECOND)
    assert stood.any()
    assert (lots[:, stood] == 150).all()
    assert (lots[:, gone] == 0).all()
    assert (touch[stood] == (BID, ASK)).all()
    known = np.isfinite(touch[:, 0])
    assert known.any()
    assert not known[-1]  # the day ends less than a minute after the pulls
    assert np.isnan(grid[:, ~known]).all()


@pytest.mark.parametrize(
    ("cue_id", "said"),
    [
        ("nonsense", "is no id of a cue"),
        ("sim.SIMUSDT-1740960071550000000-both", "is no id of a cue"),
        ("../../etc-1740960071550000000-ask", "is no id of a cue"),
        ("sim.X-1740960071550000000-ask", "no stored cue has the id"),
        ("sim.SIMUSDT-1740960071550000001-ask", "Materialize layering_cues of 2025-03-03|sim.SIMUSDT"),
    ],
)
def test_an_unknown_cue_is_told(root, cue_id, said):
    with pytest.raises(DatasetError, match=re.escape(said)):
        stored.around(root, cue_id)


def test_another_scorer_than_the_one_that_found_it_is_refused(root, cue):
    """Its contributions would explain another score."""
    with pytest.raises(StoreError, match="scored by another model"):
        packet(root, stored.around(root, cue), stump("layers", 1.5, -50, 50))


def test_a_day_whose_events_are_gone_is_told(root, cue, tmp_path):
    place = DataRoot(tmp_path).partition("layering_cues", DATE, INSTRUMENT.id)
    place.parent.mkdir(parents=True)
    place.write_bytes(root.partition("layering_cues", DATE, INSTRUMENT.id).read_bytes())
    with pytest.raises(StoreError, match=r"book_events.*does not exist\. Materialize its asset"):
        stored.around(DataRoot(tmp_path), cue)
