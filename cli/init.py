"""`lobforge init`: the data root with everything that it needs.

Here: the command and its outputs.
Not here: what is created and repaired (`pipelines.setup`).
"""

import json

from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot
from pipelines import demo
from pipelines.setup import initialise


def main(as_json: AsJson = False) -> int:
    """Create or repair the data root, the Dagster instance and the model store.

    Returns 0, or 2 if the data root cannot be created.
    """
    root = DataRoot(settings.load().data_root)
    done = initialise(root, demo.default_config())
    if as_json:
        print(json.dumps({"data_root": str(root.root), "done": done}))
    else:
        print("\n".join(done) or "nothing to do")
    return 0
