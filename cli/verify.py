"""`lobforge verify`: whether every stored file and every decision is what was stored.

Here: the command and its two outputs, a table for people and JSON for programs.
Not here: the checks (`ml.storage.verify`).
"""

from dataclasses import asdict

import orjson

from cli.console import show_table
from cli.options import AsJson
from ml.catalog.tables import TABLES
from ml.core import settings
from ml.core.paths import DataRoot
from ml.storage import verify


def main(as_json: AsJson = False) -> int:
    """Check every stored file and every decision against what was recorded.

    Returns 0 if all is well, 1 if anything is at fault, 2 if nothing could be checked.
    """
    report = verify.verify(DataRoot(settings.load().data_root), TABLES)
    if as_json:
        print(orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report)
    return 1 if report.faults else 0


def _show(report: verify.Report) -> None:
    rows = [[name, str(files), f"{report.bytes[name] / 1e6:.1f}"] for name, files in report.files.items()]
    show_table("verified", ["table", "files", "MB"], rows)
    print(f"{report.decisions} decisions, {len(report.faults)} faults")
    for fault in report.faults:
        print(f"{fault.kind}: {fault.path}: {fault.detail}\n      fix: {fault.fix}")
