"""`lobforge layering build`: the scorer that ships, trained on the simulated market alone.

Here: the command and what it prints.
Not here: training (`ml.layering.training`), the streams (`ml.simulation.streams`).
"""

from pathlib import Path
from typing import Annotated

import typer

from cli.progress import say
from ml.core import kernel_cache


def main(
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the scorer goes.")],
    streams: Annotated[int, typer.Option(min=1, help="Streams with episodes to learn from.")] = 48,
    quiet: Annotated[int, typer.Option(min=1, help="Streams without episodes that fix the thresholds.")] = 16,
    minutes: Annotated[int, typer.Option(min=10, help="Length of each stream.")] = 30,
) -> int:
    """Train the scorer that ships, on the simulated market alone; the same arguments give the same files."""
    from ml.layering.training import shipped

    say(kernel_cache.notice())
    model = shipped(streams, quiet, minutes * 60, say)
    model.save(to)
    card = model.card
    print(f"{to}: {card.positives:,} planted of {card.rows:,} clusters; thresholds from {card.hours:.1f} h")
    return 0
