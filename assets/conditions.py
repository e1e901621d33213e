"""When an asset is due.

Here: the automation conditions that assets share. `AutomationCondition.eager` looks at the latest day alone and takes
what was stored before the daemon's first look for done; these conditions look at every partition.
"""

from typing import Any

import dagster as dg

_NEW_INPUT = dg.AutomationCondition.any_deps_updated()
_SOUND = dg.AutomationCondition.all_deps_match(
    dg.AutomationCondition.will_be_requested()
    | dg.AutomationCondition.all_checks_match(dg.AutomationCondition.check_passed(), blocking_only=True)
).with_label("all_deps_blocking_checks_passed")
"""Of a dependency that is requested in the same tick, and so in the same run, the run itself enforces the checks.

`all_deps_blocking_checks_passed` asks the check instead of its asset. Checks have no partitions, so it never finds that
one will run beside a partition of its asset, and each level of the graph would wait for a run of its own.
"""
_IDLE = ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress() & _SOUND


def _due(new_input: dg.AutomationCondition[Any]) -> dg.AutomationCondition[Any]:
    """Missing, or an input is newer than the last request; asked for once, also where the run failed.

    An input that arrives just after a request counts: `since_last_handled`, in which the request wins, would lose it.
    """
    trigger = dg.AutomationCondition.newly_missing() | new_input
    handled = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
    return trigger.since(handled & ~trigger)


ON_FRESH_INPUT = (_due(_NEW_INPUT) & ~dg.AutomationCondition.any_deps_missing() & _IDLE).with_label("on_fresh_input")
"""Any partition, as soon as all inputs are there, one is new, and their blocking checks passed."""

ON_FRESH_DAY = (
    _due(_NEW_INPUT.ignore(dg.AssetSelection.assets("drift_baseline")))
    & ~dg.AutomationCondition.any_deps_missing()
    & _IDLE
).with_label("on_fresh_day")
"""The same, but a new drift baseline recomputes no stored day: it judges the days that come."""

ON_FRESH_DAYS = (
    _due(_NEW_INPUT) & dg.AutomationCondition.any_deps_match(~dg.AutomationCondition.missing()) & _IDLE
).with_label("on_fresh_days")
"""A month, as soon as one of its days is stored and none of them is being made."""
