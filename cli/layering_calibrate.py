"""`lobforge layering calibrate`: the threshold of each instrument, from ordinary flow of its own.

Here: the command and its two outputs.
Not here: how a threshold follows from flow (`ml.layering.calibration`), where it is kept (`ml.layering.thresholds`).
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from cli.console import show_table
from cli.options import AsJson
from cli.progress import say
from ml.core import config, kernel_cache, settings
from ml.core.errors import CaptureError
from ml.core.paths import DataRoot
from ml.market.files import captures, index
from ml.market.files.capture_sequence import link


def main(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE", help="Captures of ordinary flow, or directories; those of the data root if none."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Fix the threshold of each instrument of the data root, from ordinary flow of its own.

    Stored days and the live runner use it from then on; materialize `layering_cues` again for days that are stored.
    Three hours and more fix a threshold, fewer draw the simulator's towards it. Returns 2 if the captures hold none of
    the instruments of `lobforge.toml`.
    """
    from ml.layering import thresholds

    root = DataRoot(settings.load().data_root)
    known = config.load(root)
    say(kernel_cache.notice())
    chain = link(captures.expand(files or [known.captures]), partial(index.load, root))
    names = [name for name in chain.instruments() if name in known.ids]
    if not names:
        raise CaptureError(
            f"The captures hold {', '.join(chain.instruments()) or 'no instrument'}, none of {', '.join(known.ids)}. "
            "Name captures of the instruments in lobforge.toml."
        )
    found = thresholds.calibrate(root, [known.instrument(name) for name in names], chain, say)
    if as_json:
        print(orjson.dumps(found).decode())
        return 0
    for name, budgets in found.items():
        rows = [
            [f"{one['budget']:g}", f"{one['threshold']:.3f}", str(one["alarms"]), _bound(one["bound"])]
            for one in budgets
        ]
        title = f"{name}: thresholds from {budgets[0]['hours']:.2f} h"
        show_table(title, ["budget an hour", "threshold", "cues in it", "excludes more than, an hour"], rows)
    return 0


def _bound(bound: float | None) -> str:
    return "nothing" if bound is None else f"{bound:.1f}"
