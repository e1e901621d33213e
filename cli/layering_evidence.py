"""`lobforge layering evidence`: what was stored around a cue, and why it has its score.

Here: the command.
Not here: the packet (`ml.layering.evidence`), its page (`live.pages`).
"""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from cli.options import AsJson
from ml.core import settings
from ml.core.paths import DataRoot


def evidence(
    cue: Annotated[str, typer.Argument(metavar="CUE", help="Id of a cue of the table layering_cues.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page that needs no other file.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show what was stored around a cue and why it has its score.

    The packet follows from the cue's id and the stored day: book slices, the rows and raw frames with hashes, features,
    contributions of the trees, and what would have to be different. It says nothing of anybody's intention. Returns 2
    for a cue that is not stored.
    """
    from ml.core import config
    from ml.layering.evidence import packet
    from ml.layering.stored import around
    from ml.storage.durable import write_text

    root = DataRoot(settings.load().data_root)
    stored = around(root, cue)
    found = packet(root, stored)
    if html is not None:
        from live.pages import evidence as page
        from ml.plotting.cue import picture

        instrument = config.load(root).instrument(stored.row["instrument"])
        write_text(html, page(found, picture(stored, instrument)))
    if as_json:
        print(orjson.dumps(found).decode())
        return 0
    print(f"{cue}: {found['cue']['reason']}")
    print(f"score {found['score']['score']:.4f}, threshold {found['score']['threshold']:.4f}")
    for one in found["score"]["contributions"][:5]:
        print(f"  {one['log_odds']:+.2f}  {one['feature']}")
    for one in found["score"]["counterfactuals"][:1]:
        print(f"below the threshold if {one['feature']} were {one['relation']} {one['bound']:.4g}: {one['score']:.4f}")
    print(f"page: {html}" if html else "--html FILE writes the page, --json prints the packet.")
    print(found["caution"])
    return 0
