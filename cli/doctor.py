"""`lobforge doctor`: what is wrong with the data root, and how to fix it.

Here: the command and its outputs.
Not here: the questions (`pipelines.doctor`).
"""

import json

from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot
from pipelines.doctor import examine


def main(as_json: AsJson = False) -> int:
    """Say what is wrong with the data root, and how to fix it.

    Returns 0 if all is well, 1 if anything is wrong, 2 if the data root cannot be used.
    """
    findings = examine(DataRoot(settings.load().data_root))
    wrong = [finding for finding in findings if not finding.ok]
    if as_json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}")
            if not finding.ok:
                print(f"      fix: {finding.fix}")
    return 2 if any(finding.fatal for finding in wrong) else 1 if wrong else 0
