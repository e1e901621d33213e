"""`lobforge decisions list` and `lobforge models decisions`: every decision on an experiment's models.

Here: the command and its outputs.
Not here: the journal (`ml.storage.decisions`), one decision (`cli.decisions_show`).
"""

import json
from dataclasses import asdict

from cli.console import show_table
from cli.options import AsJson, ModelNameOrDefault, registry_of
from ml.core.paths import DEFAULT_EXPERIMENT
from ml.core.time import text_of


def main(name: ModelNameOrDefault = DEFAULT_EXPERIMENT, as_json: AsJson = False) -> int:
    """List every decision on an experiment's models, oldest first.

    Returns 0, or 2 if the name is unknown or a record was changed.
    """
    changes = registry_of(name).history()
    if as_json:
        print(json.dumps({"model": name, "decisions": [asdict(change) for change in changes]}))
        return 0
    rows = [
        [
            str(c.number),
            text_of(c.at),
            c.decision,
            c.version or "-",
            c.champion_before or "none",
            c.champion or "none",
            c.who,
            c.why,
        ]
        for c in changes
    ]
    header = ["no.", "time, UTC", "decision", "version", "champion before", "champion after", "by", "why"]
    show_table(name, header, rows)
    return 0
