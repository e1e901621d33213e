"""The frames of a day; `test_day` plays whole days."""

import numpy as np
import pytest

from tests.support.days import raw_day
from tests.support.scenario import capture, chain_of, diff, snapshot, trade
from tests.unit.market.bulk.test_scanner import text
from tests.unit.market.decode.streams import BTC

MIDNIGHT = 1_741_046_400_000
"""2025-03-04 in ms."""


def rows(raw):
    return list(zip(raw["kind"].to_list(), raw["arrival"].to_list(), strict=True))


def test_a_day_ends_with_the_frame_that_moves_the_clock_past_midnight(tmp_path):
    """It and what follows, up to three book messages, is kept to close the day; the next day opens with the state."""
    docs = [snapshot(1, 0), diff(2, 1, MIDNIGHT - 100), trade(1, MIDNIGHT - 1), diff(3, 2, MIDNIGHT - 1)]
    docs += [diff(k, k - 1, MIDNIGHT + k) for k in range(4, 10)]
    chain = chain_of(capture(tmp_path / "a.log", docs, MIDNIGHT - 500))
    first, second = (raw_day(chain, BTC, day) for day in ("2025-03-03", "2025-03-04"))
    assert rows(first) == [("snapshot", 0), ("ws", 1), ("ws", 2), ("ws", 3), ("checkpoint", 4)]
    assert rows(second) == [("checkpoint", -1), *(("ws", k) for k in range(6))]
    closing = first.filter(kind="checkpoint")["payload"][0]
    assert closing.count(b"depthUpdate") == 3


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_overlapping_files_arrive_by_receive_time(tmp_path, monkeypatch, size):
    """Whatever the size of the pieces in which they are read."""
    monkeypatch.setattr("ml.market.files.lines.BUFFER", size * 100)
    docs = [diff(k, k - 1, MIDNIGHT + 10 * k) for k in range(2, 60)]
    for part in range(3):
        mine = [k for k in range(len(docs)) if k % 3 == part or k % 7 == part]
        lines = [b"%d %s\n" % ((MIDNIGHT + 10 * k) * 10**6, text(docs[k])) for k in mine]
        (tmp_path / f"{part}.log").write_bytes(b"".join(lines))
    raw = raw_day(chain_of(tmp_path), BTC, "2025-03-04")
    assert (np.diff(raw["recv_ts"].to_numpy()) >= 0).all()
    assert raw["arrival"].to_list() == list(range(raw.height))
