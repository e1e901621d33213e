"""`lobforge layering build`: the scorer that ships, trained on the simulated market alone.

Here: the command and what it prints.
Not here: training (`ml.layering.training`), the market (`ml.simulation.exchange`).
"""

from pathlib import Path
from typing import Annotated

import typer

from cli.progress import say
from ml.core import kernel_cache


def main(
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the scorer goes.")],
    markets: Annotated[int, typer.Option(min=1, help="Planted markets to learn from.")] = 3,
    quiet: Annotated[int, typer.Option(min=1, help="Unplanted markets that fix the thresholds.")] = 6,
    minutes: Annotated[int, typer.Option(min=10, help="Length of each market.")] = 15,
) -> int:
    """Train the scorer that ships, on the simulated market alone; the same arguments give the same files."""
    from ml.layering.markets import market
    from ml.layering.training import TRAIN_SEEDS, shipped

    say(kernel_cache.notice())
    seeds = list(TRAIN_SEEDS[: markets + quiet])
    model = shipped(market, seeds[:markets], seeds[markets:], minutes * 60, say)
    model.save(to)
    card = model.card
    print(f"{to}: {card.positives:,} planted of {card.rows:,} clusters; thresholds from {card.hours:.1f} h")
    return 0
