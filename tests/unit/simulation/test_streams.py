"""Streams of the two families: repeatable, with truth, readable as captures, and with nothing in common."""

from dataclasses import fields, replace

import numpy as np
import pytest

from ml.market.decode.events import SNAPSHOT
from ml.simulation.episodes import LAYERING
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.overlay import TRUTH
from ml.simulation.plant_files import read_events
from ml.simulation.streams import PLANTED, TEST, TRAIN, planted, unplanted, write
from tests.support.scenario import chain_of

SECONDS = 240


@pytest.fixture(scope="module")
def stream():
    return planted(TEST, 3, ["simultaneous", "single_wall"], episodes=8, seconds=SECONDS)


def test_train_and_test_share_no_seed_and_no_parameter():
    """Every parameter of markets and episodes, by its intervals; one that is shared would be named."""
    assert TRAIN.overlap(TEST) == TEST.overlap(TRAIN) == []
    assert not set(TRAIN.seeds) & set(TEST.seeds)
    names = [part.name for family in (TRAIN.market, TRAIN.episodes) for part in fields(family)]
    assert TRAIN.overlap(TRAIN) == ["seeds", *names]
    leaking = replace(TRAIN, episodes=replace(TRAIN.episodes, rest_s=((2.0, 3.0),)))
    assert leaking.overlap(TEST) == ["rest_s"]


def test_parameters_are_drawn_from_the_intervals():
    """Of markets and of episodes; sizes of the test are those at which recall is measured."""
    for family in (TRAIN, TEST):
        for seed in family.seeds[:30]:
            market = family.market.draw(seed, 1, 0.0)
            for part in fields(family.market):
                value = getattr(market, part.name)
                assert any(low <= value <= high for low, high in getattr(family.market, part.name)), part.name
            assert market.seed == seed


def test_the_same_number_gives_the_same_stream(stream):
    """Another number gives another market; planted and unplanted streams share none."""
    again = planted(TEST, 3, ["simultaneous", "single_wall"], episodes=8, seconds=SECONDS)
    assert all(np.array_equal(a, b) for a, b in zip(stream.books, again.books, strict=True))
    assert stream.truth.equals(again.truth)
    other = unplanted(TEST, 3, SECONDS)
    assert other.truth.is_empty()
    assert dict(other.truth.schema) == dict(stream.truth.schema) == TRUTH
    assert other.market.seed == stream.market.seed - PLANTED
    assert other.market != replace(stream.market, seed=other.market.seed)


def test_the_truth_lies_in_the_stream(stream):
    """Within its time, of the wanted variants and sizes, and visible in the book at its prices."""
    assert stream.truth.height >= 4
    assert set(stream.truth["variant"]) <= {"simultaneous", "single_wall"} <= set(LAYERING)
    assert set(stream.truth["m"]) <= set(TEST.sizes)
    assert stream.books.ts[0] < stream.truth["start"].min()
    assert stream.truth["last_pull"].max() < stream.books.ts[-1]
    shown = set(zip(stream.books.side.tolist(), stream.books.price.tolist(), strict=True))
    for row in stream.truth.iter_rows(named=True):
        assert all((row["side"], price) in shown for price in row["prices"])


def test_a_stream_is_written_as_captures(tmp_path):
    """With its episodes; a loss of the feed is there too."""
    stream = planted(TRAIN, 1, ["simultaneous", "feed_reset"], episodes=6, seconds=SECONDS)
    assert "feed_reset" in set(stream.truth["variant"])
    books, trades = read_events(chain_of(*write(stream, tmp_path)), INSTRUMENT)
    assert len(trades.ts) == len(stream.trades.ts)
    assert np.count_nonzero(books.flags & SNAPSHOT) == np.count_nonzero(stream.books.flags & SNAPSHOT)
    shown = set(zip(books.side.tolist(), books.price.tolist(), strict=True))
    for row in stream.truth.iter_rows(named=True):
        assert all((row["side"], price) in shown for price in row["prices"])
