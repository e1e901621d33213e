"""`lobforge layering benchmark`: how well cues are found, on simulated markets of seeds that nothing was trained on.

Here: the command and its two outputs.
Not here: the figures (`ml.layering.benchmark`).
"""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson
from cli.progress import say
from ml.core import kernel_cache
from ml.market.files.captures import expand

SIZES = ("0.75", "1", "1.5", "2", "3", "4")
HEADER = ["budget an hour", "false alarms an hour", "95 %", *(f"m {m}" for m in SIZES), "precision at 6 an hour"]


def main(
    hours: Annotated[
        float, typer.Option(min=0.1, help="Unplanted market on which false alarms are counted; 0.5 is the short form.")
    ] = 24.0,
    captures: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE...", help="Captures to overlay episodes on, or directories of them."),
    ] = None,
    streams: Annotated[int, typer.Option(min=1, help="Streams with episodes to train on.")] = 48,
    quiet: Annotated[int, typer.Option(min=1, help="Streams without episodes, for uncalibrated thresholds.")] = 12,
    as_json: AsJson = False,
) -> int:
    """Measure recall, false alarms, precision and delay on simulated markets.

    Trees are trained for this, each without the variant that it is tested on. A test market fixes its thresholds with
    three hours before the test; `uncalibrated` figures use those of training markets. The last line of --json is one
    object.
    """
    from ml.layering.benchmark import benchmark
    from ml.layering.scan import flows_of

    say(kernel_cache.notice())
    seconds = round(min(hours, 0.5) * 3600)
    flows = flows_of(expand(captures)) if captures else []
    report = benchmark(hours, streams, quiet, seconds, flows, say)
    if as_json:
        print(orjson.dumps(report).decode())
    else:
        _show(report["simulator"])
        for name, figures in report["overlay"].items():
            cues = f"{figures['false_alarms']} cues in {figures['hours']:.2f} h"
            print(f"{name}: recall {figures['recall_m1']:.2f} (m >= 1), {cues}")
    return 0


def _show(found: dict[str, Any]) -> None:
    for name, figures in (("thresholds of the market", found), ("thresholds of other markets", found["uncalibrated"])):
        show_table(f"recall by size, {found['hours']:.1f} h, {name}", HEADER, _by_budget(figures["budgets"]))
    shares = [
        [name, f"{share:.2f}", f"{found['variants_in_family'][name]:.2f}"] for name, share in found["variants"].items()
    ]
    show_table("recall at m >= 2 by variant", ["variant", "never trained on it", "trained on it"], shares)
    negatives = [[name, f"{share:.2f}"] for name, share in found["hard_negatives"].items()]
    show_table("hard negatives that become cues", ["variant", "share"], negatives)
    delay = found["delay_ms"]
    print(f"delay after the last pull: median {delay['median']:.0f} ms, 95 % within {delay['p95']:.0f} ms")
    early = found["early_warnings"]
    print(
        f"early warnings: {early['recall']:.2f} of {early['episodes']} before the last pull, "
        f"{early['false_warnings_per_hour']:.0f} false ones an hour"
    )
    old = found["legacy_rule"]
    print(
        f"legacy_rule: recall {old['recall']:.2f} of {old['episodes']}, "
        f"{old['false_alarms_per_hour']:.1f} false alarms an hour"
    )


def _by_budget(budgets: dict[str, dict[str, Any]]) -> list[list[str]]:
    return [
        [
            budget,
            f"{figures['false_alarms_per_hour']:.2f}",
            "{:.2f} to {:.2f}".format(*figures["false_alarms_interval"]),
            *(f"{figures['recall'].get(m, float('nan')):.2f}" for m in SIZES),
            f"{figures['precision_one_in_10_min']:.3f}",
        ]
        for budget, figures in budgets.items()
    ]
