"""When an asset is due.

Here: the automation conditions that assets share.
"""

import dagster as dg

ON_FRESH_INPUT = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
"""As soon as an input is new and its blocking checks passed; eager alone does not wait for checks."""
