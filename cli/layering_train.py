"""`lobforge layering train`: learn from the votes on stored cues, and decide about the champion.

Here: the command and its outputs.
Not here: what runs (`pipelines.layering`), the report for people (`pipelines.layering_report`).
"""

import json

from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot
from pipelines.layering import learn
from pipelines.layering_report import show
from pipelines.progress import say


def main(as_json: AsJson = False) -> int:
    """Train a model on the labelled cues of the data root, and decide whether it becomes champion.

    A random forest and LightGBM are trained; the better one of the two inside the training rows is the candidate. It
    needs 100 labelled cues, of which 5 are layering and 5 are not. Returns 0, also if the decision is `refuse` or
    `insufficient`, 2 if nothing could be run.
    """
    root = DataRoot(settings.load().data_root)
    report = learn(root, say)
    if as_json:
        print(json.dumps(report))
    else:
        show(report, root)
    return 0
