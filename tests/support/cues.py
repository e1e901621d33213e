"""A small data root with one stored day of cues, found by the trees that ship."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.core import config
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import PARTS_OF, code_version
from ml.layering.days import cues_of_day
from ml.layering.model import CueModel, load
from ml.market.book.layout import COLUMNS
from ml.market.days.day import Decoding
from ml.market.days.raw import raw_day
from ml.storage import commit
from ml.storage.durable import write_text
from tests.support.layered import ASK, BID, INSTRUMENT, TOUCH, Script, frames, write
from tests.support.scenario import chain_of

DATE = "2025-03-03"
THRESHOLD = 0.97
"""The cues of `market` score a little above it, so that a change of one feature can take them below."""


def lenient() -> CueModel:
    """The shipped trees with a threshold just below what the clusters of `market` reach."""
    model = load()
    return CueModel(model.trees, replace(model.card, thresholds=((model.card.budget, THRESHOLD),)), model.text)


def market(cues: int) -> Script:
    """A quiet market in which three layers are pulled every four seconds, on alternating sides."""
    script = Script(72 + 4 * cues)
    for k in range(cues):
        at = 70_000 + 4_000 * k
        side, touch = (1, BID) if k % 2 else (-1, ASK)
        for layer in range(3):
            price = touch - side * (5 + layer)
            script.order(side, price, 150 + 20 * k, at + 100 * layer, at + 1_500 + 100 * (k % 4))
        best = ASK if side > 0 else BID
        script.trade(at + 1_400, side, best, 10)
        script.level(at + 1_400, -side, best, TOUCH - 10)
    return script


def store(folder: Path, cues: int = 6) -> DataRoot:
    """Fill a data root with the tables of one day that holds so many cues."""
    root = DataRoot(folder)
    chain = chain_of(write(_made(root.captures) / "sim__simusdt.jsonl", frames(market(cues))))
    write_text(root.config, config.render(Config(root.captures, date(2025, 3, 3), date(2025, 3, 3), (INSTRUMENT,))))
    raw = list(raw_day(chain, INSTRUMENT, DATE))
    decoding = Decoding(raw, INSTRUMENT, DATE)
    events = list(decoding.book_events())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml.layering.detector.load", lenient)
        found = cues_of_day(events, decoding.trades, np.zeros((0, COLUMNS), np.int64), INSTRUMENT)
    tables = {"raw_frames": pl.concat(raw), "book_events": pl.concat(events), "trades": decoding.trades}
    for name, frame in (tables | {"layering_cues": found}).items():
        commit.publish(
            root,
            name,
            root.partition(name, DATE, INSTRUMENT.id),
            frame,
            code_version(PARTS_OF.get(name, ())),
        )
    assert found.height == cues
    return root


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
