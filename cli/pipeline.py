"""The verbs that need Dagster: init, doctor, demo, label, ui.

Here: their arguments, output and return codes (0, 1 if something was quarantined, 2 if nothing could be done).
Not here: what they do.
"""

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path

from ml.core import settings
from ml.core.errors import LobforgeError
from ml.core.paths import FEATURE_GROUP, FEATURE_GROUPS, LEGACY_GROUP, DataRoot
from pipelines.progress import say


def demo(argv: list[str]) -> int:
    """Run the whole graph and show what came out; an honest refusal returns 0."""
    from pipelines import demo as demos

    defaults = demos.Demo()
    parser = argparse.ArgumentParser(prog="lobforge demo", description=demo.__doc__)
    parser.add_argument(
        "--captures", type=Path, help="run on the capture files of this directory instead of a simulated market"
    )
    parser.add_argument("--alpha", type=float, default=defaults.alpha, help="planted information coefficient, 0 to 0.3")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="seed of the simulated market")
    parser.add_argument("--hours", type=float, default=defaults.hours, help="hours of simulated market")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args(argv)
    try:
        wanted = demos.Demo(options.captures, options.alpha, options.seed, options.hours)
        root, keys = demos.prepare(wanted, say)
        report = demos.run(root, keys, say)
    except LobforgeError as error:
        return _fail(error, options.json)
    if options.json:
        print(json.dumps(report))
    else:
        from pipelines.report import show

        show(report, root)
    return 1 if report["live"]["quarantined"] else 0


def init(argv: list[str]) -> int:
    """Create the data root, the Dagster instance and the model store, or heal them."""
    from pipelines import demo as demos
    from pipelines.setup import initialise

    options = _plain_options("init", init.__doc__, argv)
    try:
        root = DataRoot(settings.load().data_root)
        done = initialise(root, demos.default_config())
    except LobforgeError as error:
        return _fail(error, options.json)
    print(
        json.dumps({"data_root": str(root.root), "done": done}) if options.json else "\n".join(done) or "nothing to do"
    )
    return 0


def doctor(argv: list[str]) -> int:
    """Say what is wrong and how to fix it; 1 if anything is, 2 if the data root cannot be used."""
    from pipelines.doctor import examine

    options = _plain_options("doctor", doctor.__doc__, argv)
    try:
        findings = examine(DataRoot(settings.load().data_root))
    except LobforgeError as error:
        return _fail(error, options.json)
    wrong = [finding for finding in findings if not finding.ok]
    if options.json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            print(
                f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}"
                + ("" if finding.ok else f"\n      fix: {finding.fix}")
            )
    return 2 if any(finding.fatal for finding in wrong) else 1 if wrong else 0


def label(argv: list[str], group: str = FEATURE_GROUP) -> int:
    """Make the labels of stored days again; only label columns change."""
    parser = argparse.ArgumentParser(prog="lobforge label", description=label.__doc__)
    parser.add_argument("--start-date", type=_date, help="first UTC date (YYYY-MM-DD); the first stored if left out")
    parser.add_argument("--end-date", type=_date, help="last UTC date; the last stored if left out")
    parser.add_argument("--feature-group", default=group, help=f"one of {', '.join(FEATURE_GROUPS)}")
    parser.add_argument("--instrument", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    from pipelines import labelling

    try:
        root = DataRoot(settings.load().data_root)
        wanted = labelling.Range(options.start_date, options.end_date, tuple(options.instrument))
        report = labelling.label(root, options.feature_group, wanted)
    except LobforgeError as error:
        return _fail(error, options.json)
    if options.json:
        print(json.dumps(report))
    else:
        for key, told in report["partitions"].items():
            print(f"{key}: {told}")
    return 1 if any(told.get("changed_others") for told in report["partitions"].values()) else 0


def preprocessing_add_future_labels(argv: list[str]) -> int:
    """The predecessor's script for its arrays: labels of migrated samples."""
    return label(argv, LEGACY_GROUP)


def ui(argv: list[str]) -> int:  # noqa: RET503 - it ends by becoming the server
    """Start the Dagster webserver and daemon on the data root's instance."""
    from pipelines import demo as demos
    from pipelines.setup import PROJECT, initialise

    parser = argparse.ArgumentParser(prog="lobforge ui", description=ui.__doc__)
    parser.add_argument("--captures", type=Path, help="the data root that `lobforge demo --captures` made")
    parser.add_argument("--port", type=int, default=3000)
    options = parser.parse_args(argv)
    try:
        root = demos.Demo(options.captures).root() if options.captures else DataRoot(settings.load().data_root)
        os.environ["LOBFORGE_DATA_ROOT"] = str(root.root)
        initialise(root, demos.default_config())
    except LobforgeError as error:
        return _fail(error, as_json=False)
    say(f"Dagster UI on http://127.0.0.1:{options.port} (data root {root.root})")
    command = [
        str(Path(sys.executable).with_name("dagster")),
        "dev",
        "-w",
        str(PROJECT / "workspace.yaml"),
        "-h",
        "127.0.0.1",
        "-p",
        str(options.port),
    ]
    os.execv(command[0], command)  # noqa: S606 - becomes the server, so that signals reach it


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _plain_options(verb: str, description: str | None, argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"lobforge {verb}", description=description)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def _fail(error: LobforgeError, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
    else:
        print(f"error: {error}", file=sys.stderr)
    return 2
