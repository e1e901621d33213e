"""`lobforge layering plant FILE`: a capture file with planted episodes, and the file of truth.

Here: the command and what it prints.
Not here: episodes (`ml.simulation.episodes`) and how they get into a file (`ml.simulation.plant_files`).
"""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import show_table
from cli.options import split_names
from cli.progress import say
from ml.core import kernel_cache
from ml.core.errors import CaptureError, SettingsError

ALL = "all"


def main(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A capture file of Binance, Bybit or OKX.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same file.")] = 1,
    variant: Annotated[
        str, typer.Option(metavar="A,B", help="Variants, each in turn; `all` for every one of them.")
    ] = "simultaneous",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes per instrument, as far as the market allows.")] = 20,
    size: Annotated[
        str, typer.Option(metavar="M,M", help="Sizes of a layer in typical best sizes, each in turn.")
    ] = "0.75,1,1.5,2,3,4",
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; by default FILE with `_planted`, here.")
    ] = None,
    before: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A capture whose book FILE continues; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the truth as JSON instead of a summary.")] = False,
) -> int:
    """Write a copy of a capture file with planted episodes, and what was planted.

    The truth lies beside the new file, as `.truth.json`. Lines without an episode keep their bytes.
    """
    from ml.simulation import plant_files  # compiled code is loaded only when there is work for it
    from ml.simulation.episodes import VARIANTS
    from ml.storage import durable

    if not file.is_file():
        raise CaptureError(f"{file} is no file. Name one capture file.")
    target = to or Path(_named(file.name))
    if target.resolve() == file.resolve():
        raise SettingsError(f"--to {target} is the file that is read. Name another one.")
    say(kernel_cache.notice())
    names = list(VARIANTS) if variant == ALL else split_names(variant)
    planted = plant_files.plant_file(file, target, seed, names, episodes, sizes=_sizes(size), before=before or ())
    text = plant_files.truth_text(planted, target.name, seed)
    truth = target.with_name(target.name.partition(".")[0] + ".truth.json")
    durable.write_text(truth, text.decode())
    if as_json:
        print(text.decode(), end="")
        return 0
    counts = planted.truth.group_by("instrument", "variant", maintain_order=True).len()
    show_table("planted", ["instrument", "variant", "episodes"], [[str(c) for c in row] for row in counts.iter_rows()])
    print(f"{target} and {truth}")
    return 0


def _named(name: str) -> str:
    stem, dot, suffixes = name.partition(".")
    return f"{stem}_planted{dot}{suffixes}"


def _sizes(text: str) -> list[float]:
    try:
        found = [float(part) for part in split_names(text)]
    except ValueError as error:
        raise SettingsError(f"--size {text!r} is no list of numbers. Write it like 1,2,4.") from error
    if not found or min(found) <= 0:
        raise SettingsError(f"--size {text!r} must be numbers above 0.")
    return found
