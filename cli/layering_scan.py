"""`lobforge layering scan FILE...`: cues of layering directly from capture files.

Here: the command and its two outputs, tables for people and JSON for programs.
Not here: the scan itself (`ml.layering.scan`).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson, Files
from cli.progress import Progress, say
from ml.core import kernel_cache
from ml.core.errors import SettingsError
from ml.market.files import captures


def main(
    files: Files,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE...", help="Captures of ordinary flow of the same instrument, or directories."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="N", help="False alarms an hour to allow; 2 if left out.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Find cues of layering in capture files, without a data root.

    Large orders that are placed together on one side and pulled together are scored; a cue says that they look like
    layering, never what their owner meant. Without --calibrate the threshold is the simulator's.

    Returns 0, 1 if some instrument cannot be judged or frames were quarantined, 2 if nothing could be read.
    """
    from ml.layering.scan import scan  # compiled code is loaded only when there is work for it

    if budget is not None and budget <= 0:
        raise SettingsError(f"--budget {budget} must be above 0 false alarms an hour.")
    say(kernel_cache.notice())
    with Progress() as progress:
        quiet = captures.expand(calibrate) if calibrate else ()
        report = scan(captures.expand(files), quiet, budget, tell=progress)
    if as_json:
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(report["instruments"])
    found = report["instruments"].values()
    return 1 if report["quarantined"] or any(one["not_judged"] or one["quarantined"] for one in found) else 0


def _show(instruments: dict[str, Any]) -> None:
    for name, found in instruments.items():
        if found["not_judged"]:
            print(f"{name}: not judged: {found['not_judged']}.")
            continue
        rows = [
            [
                f"{datetime.fromtimestamp(cue['last_pull'] / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3],
                cue["side"],
                str(len(cue["prices"])),
                f"{cue['volume']:.6g}",
                f"{cue['score']:.3f}",
                cue["verdict_band"]["verdict"],
            ]
            for cue in found["cues"]
        ]
        show_table(
            f"{name}: cues in {found['hours']:.2f} h",
            ["last pull", "side", "prices", "volume", "score", "verdict"],
            rows,
        )
        for cue in found["cues"]:
            print(f"{cue['id']}: {cue['reason']}")
        calibration = found["calibration"]
        bound = (
            ""
            if calibration["bound"] is None
            else f"; its {calibration['hours']:.2f} h exclude more than {calibration['bound']:.1f} an hour"
        )
        if found["quarantined"]:
            print("quarantined: " + ", ".join(f"{count} {why}" for why, count in found["quarantined"].items()))
        print(
            f"threshold {calibration['threshold']:.3f} from {calibration['source']} "
            f"for {calibration['budget']:g} false alarms an hour{bound}"
        )
