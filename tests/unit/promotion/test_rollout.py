"""Two models on a stream: the policy decides on what it sees, in market time, and no row is lost to a decision."""

import numpy as np
import pytest

from ml.core.config import LifecyclePlan
from ml.core.errors import ModelRefused
from ml.core.time import HOUR, SECOND
from ml.promotion.life import Stage, Step
from ml.promotion.registry import CHAMPION, Registry
from ml.promotion.replay import stored_rows
from ml.promotion.rollout import Rollout
from ml.promotion.serving import Seat
from tests.support.lives import SPEC, START, challenged, stored, trained

DAY_POLICY = LifecyclePlan()
QUICK = LifecyclePlan(shadow_hours=2, split_hours=1, watch_hours=8, longest_hours=6, look_hours=0.5, split_share=0.5)


SLOW = LifecyclePlan(shadow_hours=8, split_hours=2, watch_hours=20, longest_hours=24)
"""Hours in which an interval gets narrow enough to tell these models apart."""


@pytest.fixture(scope="module")
def skilled():
    return trained(0.6)


@pytest.fixture(scope="module")
def blind():
    return trained(0.0)


def replayed(rollout, rows, spoil=None):
    """Serve every row; `spoil` may break something before each. Returns who served each row, None if nobody."""
    served = []
    for row in stored_rows(rows, SPEC, 10):
        if spoil is not None:
            spoil(rollout, row.ts)
        scored = rollout.score(row.instrument, row.ts, row.values, row.withheld, row.label)
        served.append(scored.served and scored.served.model_id)
    return served


def decided(registry):
    return [(change.decision, change.model_id) for change in registry.history()][2:]


def test_a_better_challenger_is_promoted_by_the_policy_of_a_day(registry, blind, skilled):
    """24 h of shadow, 24 h of split traffic at 10 %, then champion; the share of the traffic is as asked for."""
    challenged(registry.root, [blind, skilled])
    taken = []
    rollout = Rollout(registry, DAY_POLICY, taken.append, replay=True)
    served = replayed(rollout, stored(50, spacing=10))
    assert [one.step.decision for one in taken] == ["split", "promote"]
    at = [one.record["decided_at"] for one in taken]
    assert (at[0] - START) / HOUR == pytest.approx(24, abs=0.1)
    assert (at[1] - at[0]) / HOUR == pytest.approx(24, abs=0.1)
    assert registry.champion() == skilled.id == registry.load().id
    assert len(served) == 50 * 360
    assert None not in served
    split = served[24 * 360 : 48 * 360]
    assert 0.02 < split.count(skilled.id) / len(split) < 0.25
    assert set(served[: 24 * 360]) == {blind.id}
    assert set(served[-300:]) == {skilled.id}
    record = taken[1].record
    assert record["comparison"]["outcome"] == "better"
    assert record["policy"]["split_hours"] == 24
    assert record["health"]["errors"] == 0


def test_an_equal_challenger_is_not_promoted(registry, blind):
    """Two models without skill: refused or insufficient, whatever the order of luck."""
    challenged(registry.root, [blind, trained(0.0, seed=5)])
    replayed(Rollout(registry, QUICK, replay=True), stored(7, spacing=10))
    ends = [decision for decision, _ in decided(registry)]
    assert ends[-1] in ("refuse", "insufficient")
    assert "promote" not in ends
    assert registry.champion() == blind.id


def test_a_worse_challenger_never_serves(registry, blind, skilled):
    """It is refused in shadow, before it takes any traffic."""
    challenged(registry.root, [skilled, blind])
    served = replayed(Rollout(registry, SLOW, replay=True), stored(9))
    assert decided(registry) == [("refuse", blind.id)]
    assert set(served) == {skilled.id}


@pytest.mark.promise("D5")
def test_a_champion_whose_market_turns_is_rolled_back(registry, blind, skilled):
    """What it says becomes the opposite of what comes: a loss against the previous champion is proved, and it goes."""
    challenged(registry.root, [blind, skilled])
    taken = []
    replayed(Rollout(registry, SLOW, taken.append, replay=True), stored(24, turns_at=10.5))
    assert [one.step.decision for one in taken] == ["split", "promote", "rollback"]
    assert "loses more than allowed" in taken[-1].step.why
    look = taken[-1].record["comparison"]["looks"][-1]
    assert look["upper"] < 0
    assert registry.champion() == blind.id == registry.load().id


class Broken:
    """A model that fails, is slow or says nothing, from now on."""

    def __init__(self, model, kind):
        self.model, self.kind = model, kind
        self.id, self.card = model.id, model.card
        self.rows = 0

    def probabilities(self, features):
        self.rows += 1
        if self.kind == "error" and self.rows % 10 == 0:
            raise RuntimeError("broken")
        if self.kind == "abstain" and self.rows % 3 == 0:
            return np.full((1, 3), np.nan)
        return self.model.probabilities(features)

    def directions(self, probabilities):
        return self.model.directions(probabilities)


def promoted(registry, blind, skilled):
    """A registry whose second model took over at START, watched by the first."""
    challenged(registry.root, [blind, skilled])
    now = registry.timed(lambda: START)
    now.advance(Step("split", skilled.id, ""), blind.id, "policy")
    now.advance(Step("promote", skilled.id, ""), blind.id, "policy")
    return now


def breaking(kind, from_ts=START + 600 * SECOND):
    def spoil(rollout, ts):
        seat = rollout.serving.champion
        if ts >= from_ts and rollout.life.stage is Stage.WATCH and not isinstance(seat.model, Broken):
            rollout.serving.champion = Seat(Broken(seat.model, kind), seat.positions)

    return spoil


@pytest.mark.promise("D5")
@pytest.mark.parametrize("replay", [True, False], ids=["replay", "live"])
@pytest.mark.parametrize(("kind", "says"), [("error", "failed on"), ("abstain", "no answer on")])
def test_a_broken_champion_is_rolled_back_and_no_row_is_lost(registry, blind, skilled, kind, says, replay):
    """In a replay and live, where no label is known: errors are answered by the previous champion at once."""
    promoted(registry, blind, skilled)
    taken = []
    rollout = Rollout(registry, QUICK, taken.append, replay=replay)
    served = replayed(rollout, stored(1), breaking(kind))
    assert [one.step.decision for one in taken] == ["rollback"]
    assert says in taken[0].record["reason"]
    assert len(served) == 3600
    assert served.count(None) == (0 if kind == "error" else taken[0].record["health"]["abstained"])
    assert served[-1] == blind.id == Registry(registry.root).load(CHAMPION).id
    assert taken[0].record["health"]["rows"] > 0


@pytest.mark.promise("D5")
def test_a_slow_champion_is_rolled_back(registry, blind, skilled):
    """By processor time against the other model on the same rows: each of its answers takes three times as long."""
    promoted(registry, blind, skilled)
    taken = []
    rollout = Rollout(registry, QUICK, taken.append, replay=True)
    ns = [0]

    def clock():
        ns[0] += 1_000_000
        return ns[0]

    class Slow(Broken):
        def probabilities(self, features):
            ns[0] += 2_000_000
            return self.model.probabilities(features)

    def spoil(rollout, _):
        rollout.serving.clock = clock
        seat = rollout.serving.champion
        if rollout.life.stage is Stage.WATCH and not isinstance(seat.model, Broken):
            rollout.serving.champion = Seat(Slow(seat.model, "slow"), seat.positions)

    replayed(rollout, stored(1), spoil)
    assert [one.step.decision for one in taken] == ["rollback"]
    assert "3.0 times that of the other model" in taken[0].step.why


def test_a_damaged_target_is_not_rolled_back_to(registry, blind, skilled, monkeypatch):
    """The target is loaded and tried before the alias moves: the champion stays, and the error is seen."""
    promoted(registry, blind, skilled)
    rollout = Rollout(registry, QUICK, replay=True)

    def refuse(_):
        raise ModelRefused("damaged")

    monkeypatch.setattr("ml.learning.models.trained.smoke_test", refuse)
    with pytest.raises(ModelRefused, match="damaged"):
        replayed(rollout, stored(1), breaking("error"))
    assert registry.champion() == skilled.id == registry.load().id


@pytest.mark.promise("D5")
def test_a_step_that_cannot_be_taken_ends_no_live_stream(registry, blind, skilled, monkeypatch, caplog):
    """The target is damaged: every row is answered all the same, and not each of them tries the rollback again."""
    promoted(registry, blind, skilled)
    rollout = Rollout(registry, QUICK)
    tries = []

    def refuse(_):
        tries.append(1)
        raise ModelRefused("damaged")

    monkeypatch.setattr("ml.learning.models.trained.smoke_test", refuse)
    served = replayed(rollout, stored(1), breaking("error"))
    assert None not in served
    assert set(served[-300:]) == {skilled.id, blind.id}  # the failing one, and in its place the other
    assert 1 < len(tries) < len(served) / 20
    assert "no step was taken" in caplog.text
    assert registry.champion() == skilled.id
    monkeypatch.undo()
    replayed(rollout, stored(1), breaking("error"))
    assert registry.champion() == blind.id


def test_a_decision_that_another_process_took_first_ends_no_live_stream(registry, blind, skilled, monkeypatch):
    """Rolled back by hand between a row and the policy's step on it: the next row is the new champion's."""
    promoted(registry, blind, skilled)
    rollout = Rollout(registry, QUICK)
    advance = registry.advance

    def late(step, *more):
        Registry(registry.root).rollback(None, "ann", "I saw it first")
        return advance(step, *more)

    monkeypatch.setattr(registry, "advance", late)
    served = replayed(rollout, stored(1), breaking("error"))
    assert None not in served
    assert served[-1] == blind.id == registry.champion()
    assert decided(registry)[-1] == ("rollback", blind.id)


def test_a_watch_that_passes_lets_the_previous_champion_go(registry, blind, skilled):
    """After its hours nobody is scored beside the champion any more."""
    promoted(registry, blind, skilled)
    plan = LifecyclePlan(watch_hours=0.5, shadow_hours=1, split_hours=1, look_hours=0.25)
    for replay in (True, False):
        rollout = Rollout(registry, plan, replay=replay)
        assert rollout.serving.beside is not None
        replayed(rollout, stored(1))
        assert (rollout.serving.beside, rollout.life.stage) == (None, Stage.ALONE)
    assert decided(registry)[-1] == ("promote", skilled.id)


def test_a_live_stream_follows_what_others_decide(registry, blind, skilled):
    """Another process promotes by hand: the next row is the new champion's; a refused model changes nothing."""
    challenged(registry.root, [blind, skilled])
    rollout = Rollout(registry, QUICK)
    rows = list(stored_rows(stored(1), SPEC, 10))

    def serve(row):
        return rollout.score(row.instrument, row.ts, row.values, row.withheld).served.model_id

    assert serve(rows[0]) == blind.id
    Registry(registry.root).promote("2", blind.id, "ann", "by hand", override=True)
    assert [serve(row) for row in rows[1:4]] == [skilled.id] * 3
    assert rollout.follow() is False


def test_a_damaged_champion_leaves_the_one_that_serves(registry, blind, skilled, monkeypatch):
    """The next row is answered by the old model, under its own name."""
    challenged(registry.root, [blind, skilled])
    rollout = Rollout(registry, QUICK)
    row = next(stored_rows(stored(1), SPEC, 10))
    Registry(registry.root).promote("2", blind.id, "ann", "by hand", override=True)

    def refuse(_):
        raise ModelRefused("damaged")

    monkeypatch.setattr("ml.learning.models.trained.fits", refuse)
    assert rollout.score(row.instrument, row.ts, row.values, row.withheld).served.model_id == blind.id


def test_a_row_with_unknown_values_is_withheld_with_the_reason(registry, blind, skilled):
    """As live: the reason is the null reason of a feature that the model needs."""
    challenged(registry.root, [blind, skilled])
    rollout = Rollout(registry, QUICK, replay=True)
    row = next(stored_rows(stored(1), SPEC, 10))
    values, reasons = row.values.copy(), np.full_like(row.reasons, 3)
    values[row.values.size // 4 :] = np.nan
    unknown = row._replace(values=values, reasons=reasons)
    scored = rollout.score(row.instrument, row.ts, values, unknown.withheld)
    assert (scored.served, scored.withheld) == (None, "warm_up")
    assert rollout.monitor.health().rows == 0
